"""Baselines without pretraining: random weights, amplitudes, random convolutions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from cgdmer_jax import provenance
from cgdmer_jax.evaluation.linear_probe import fit_and_score
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.metrics.features import convolve, draw_kernels, hand36
from cgdmer_jax.metrics.results import Scored, paired_row
from cgdmer_jax.metrics.ridge import Ridge, choose_penalty, fit_ridge_paths
from cgdmer_jax.metrics.score_key import ScoreKey

CONVOLUTIONS = ("random_convolutions", "ridge")  # method and feature of its rows
HAND36 = ("hand36", "hand36")
Convolved = Float32[np.ndarray, "record feature"]


def score_floors(subject: Subject, convolved: Convolved) -> Outcome:
    """A logistic regression on 36 amplitudes, and random convolutions + ridge."""
    corpus, lines = subject.corpus, subject.lines
    plain = hand36(corpus.read(lines), corpus.lead_mask[lines], corpus.length[lines]).astype(np.float64)
    setting = replace(subject.base, method=HAND36[0], feature=HAND36[1])
    amplitudes = fit_and_score(setting, subject.tasks, [plain])
    ridges = _fit_ridges(subject.tasks, convolved)
    return together(
        [amplitudes, *(_score_ridge(subject, task, ridges[task.name], convolved) for task in subject.tasks)]
    )


def _fit_ridges(tasks: Sequence[Task], x: Convolved) -> dict[str, Ridge]:
    """By the task's name; tasks that are fitted on the same records, as PTB-XL's `super` and `sub`, share the cost."""
    of_records: dict[bytes, list[Task]] = {}
    for task in tasks:
        of_records.setdefault(task.fit.tobytes(), []).append(task)
    made = {}
    for same in of_records.values():
        fit = same[0].fit
        for task, path in zip(same, fit_ridge_paths(x[fit], [task.labels[fit] for task in same]), strict=True):
            made[task.name] = choose_penalty(path, x[task.choose], task.labels[task.choose])
    return made


def _score_ridge(subject: Subject, task: Task, fitted: Ridge, x: Convolved) -> Outcome:
    method, feature = CONVOLUTIONS
    return score(
        replace(subject.base, task=task.name, method=method, feature=feature, feature_dim=x.shape[1]),
        [fitted.scores(x[task.score])],
        task.labels[task.score],
        task.classes,
        probabilities=False,
        defined=fitted.fitted,
        weights=task.weights,
    )


def convolutions(subject: Subject, n_kernels: int) -> Convolved:
    """Random convolution features of every embedded record; thresholds come from the records to fit on."""
    signal = subject.corpus.read(subject.lines)
    fit = np.unique(np.concatenate([task.fit for task in subject.tasks]))
    kernels = draw_kernels(signal[fit], n_kernels=n_kernels, seed=0)
    return convolve(kernels, signal, n_threads=provenance.n_cpus())


def differences(scored: Mapping[ScoreKey, Scored], tasks: Sequence[Task], own: tuple[str, str]) -> Outcome:
    """Paired differences of the headline probe (`own`: method and feature) to each floor that was made.

    At each share of the labels.
    """
    rows = []
    for task in tasks:
        for floor in (("random_weights", own[1]), CONVOLUTIONS, HAND36):
            for key, reference in scored.items():
                mine = scored.get(key._replace(method=own[0], feature=own[1]))
                of_floor = (key.task, key.evaluation, key.method, key.feature) == (task.name, "probe", *floor)
                if of_floor and mine is not None:
                    rows.append(paired_row(mine, reference, variant=f"minus_{floor[0]}"))
    return Outcome(tuple(rows))
