"""Baselines without pretraining: random weights, amplitudes, random convolutions, alone and beside the encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from cgdmer_jax import provenance
from cgdmer_jax.evaluation.embedded import Headline
from cgdmer_jax.evaluation.linear_probe import fit_and_score
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.metrics.features import BESIDE, convolve, draw_kernels, hand36
from cgdmer_jax.metrics.results import Scored, Setting, paired_row
from cgdmer_jax.metrics.ridge import Ridge, choose_penalty, fit_ridge_paths
from cgdmer_jax.metrics.score_key import ScoreKey

CONVOLUTIONS = ("random_convolutions", "ridge")  # method and feature of its rows
HAND36 = ("hand36", "hand36")
Convolved = Float32[np.ndarray, "record feature"]


def score_floors(subject: Subject, headline: Headline, convolved: Convolved) -> Outcome:
    """A logistic regression on 36 amplitudes, and random convolutions + ridge without and with the headline feature."""
    corpus, lines = subject.corpus, subject.lines
    plain = hand36(corpus.read(lines), corpus.lead_mask[lines], corpus.length[lines]).astype(np.float64)
    setting = replace(subject.base, method=HAND36[0], feature=HAND36[1])
    amplitudes = fit_and_score(setting, subject.tasks, [plain])
    method, feature = CONVOLUTIONS
    alone = _score_ridges(subject, replace(subject.base, method=method, feature=feature), convolved)
    both = np.concatenate([convolved, headline.x.astype(convolved.dtype)], axis=1)
    beside = _score_ridges(subject, replace(subject.base, feature=headline.feature + BESIDE), both)
    return together([amplitudes, *alone, *beside])


def _score_ridges(subject: Subject, setting: Setting, x: Convolved) -> list[Outcome]:
    fitted = _fit_ridges(subject.tasks, x)
    setting = replace(setting, feature_dim=x.shape[1])
    return [_score_ridge(replace(setting, task=task.name), task, fitted[task.name], x) for task in subject.tasks]


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


def _score_ridge(setting: Setting, task: Task, fitted: Ridge, x: Convolved) -> Outcome:
    return score(
        setting,
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

    At each share of the labels; and what the headline feature adds to random convolutions.
    """
    method, feature = own
    pairs = [(own, floor) for floor in (("random_weights", feature), CONVOLUTIONS, HAND36)]
    pairs.append(((method, feature + BESIDE), CONVOLUTIONS))
    rows = []
    for task in tasks:
        for ours, floor in pairs:
            for key, reference in scored.items():
                mine = scored.get(key._replace(method=ours[0], feature=ours[1]))
                of_floor = (key.task, key.evaluation, key.method, key.feature) == (task.name, "probe", *floor)
                if of_floor and mine is not None:
                    rows.append(paired_row(mine, reference, variant=f"minus_{floor[0]}"))
    return Outcome(tuple(rows))
