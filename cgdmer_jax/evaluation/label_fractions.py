"""The probe with a tenth and a hundredth of the labelled patients, beside the floors on the same draws."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cgdmer_jax.evaluation.baselines import CONVOLUTIONS, Convolved
from cgdmer_jax.evaluation.embedded import Embedded
from cgdmer_jax.evaluation.in_threads import in_threads
from cgdmer_jax.evaluation.outcome import Outcome, score, together, without
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.metrics.probe import fit_probe_path
from cgdmer_jax.metrics.ridge import fit_ridge_path
from cgdmer_jax.metrics.score_key import VAL_LABELS
from cgdmer_jax.metrics.stratify import stratified_draw

FRACTIONS = (0.1, 0.01)
N_SEEDS = 5


class Fitted(NamedTuple):
    """Features that are scored, and what is fitted on them."""

    method: str
    feature: str
    x: np.ndarray  # [embedded record, feature]
    fit: Callable


def score_label_fractions(subject: Subject, embedded: Embedded, headline: str, convolved: Convolved | None) -> Outcome:
    """The headline feature, random weights (the first seed), and random convolutions + ridge where they were made.

    A class without a positive in a draw scores a constant there, so chance: all shares then have the same classes.
    """
    compared = [Fitted(subject.base.method, headline, embedded.own[headline], fit_probe_path)]
    compared += [Fitted("random_weights", headline, first[headline], fit_probe_path) for first in embedded.random[:1]]
    if convolved is not None:
        compared.append(Fitted(*CONVOLUTIONS, convolved, fit_ridge_path))
    made = []
    for task in subject.tasks:
        for fraction in FRACTIONS:
            draws = _draws(subject, task, fraction)
            if all(len(records) and cut.any() for records, cut in draws):
                made += [_score(subject, task, one, fraction, draws) for one in compared]
            else:
                why = f"of {len(task.fit)} records to fit on and {len(task.choose)} to choose on a draw holds none"
                made.append(without(f"{fraction:.0%} of the labels of task {task.name}", why))
    return together(made)


def _draws(subject: Subject, task: Task, fraction: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """(positions to fit on, which of `task.choose` the cut validation keeps) of each seed."""
    patients = subject.corpus.patient_id[subject.lines]

    def drawn(records: np.ndarray, seed: int) -> np.ndarray:
        return stratified_draw(task.labels[records], patients[records], fraction, seed)

    return [(task.fit[drawn(task.fit, seed)], drawn(task.choose, seed)) for seed in range(N_SEEDS)]


def _score(subject: Subject, task: Task, one: Fitted, fraction: float, draws: list) -> Outcome:
    setting = replace(subject.base, task=task.name, method=one.method, feature=one.feature, label_fraction=fraction)
    setting = replace(setting, feature_dim=one.x.shape[1])
    return together(
        score(
            replace(setting, val_labels=kind),
            scores,
            task.labels[task.score],
            task.classes,
            probabilities=False,
            weights=task.weights,
            macro_only=True,
        )
        for kind, scores in _scores(task, one, draws).items()
    )


def _scores(task: Task, one: Fitted, draws: list) -> dict[str, list[np.ndarray]]:
    """Scores of each seed, the strength chosen on the whole validation part and on its cut."""
    of_choose, of_score = one.x[task.choose], one.x[task.score]
    labels = task.labels[task.choose]

    def of_draw(draw: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        records, cut = draw
        path = one.fit(one.x[records], task.labels[records])
        judged, scored = path.scores(of_choose), path.scores(of_score)
        return scored[path.best(judged, labels)], scored[path.best(judged[:, cut], labels[cut])]

    return dict(zip(VAL_LABELS, map(list, zip(*in_threads(of_draw, draws), strict=True)), strict=True))
