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
from cgdmer_jax.metrics.ridge import fit_ridge
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
    return together([amplitudes, *(_score_ridge(subject, task, convolved) for task in subject.tasks)])


def _score_ridge(subject: Subject, task: Task, x: Convolved) -> Outcome:
    method, feature = CONVOLUTIONS
    fitted = fit_ridge(x[task.fit], task.labels[task.fit], x[task.choose], task.labels[task.choose])
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
