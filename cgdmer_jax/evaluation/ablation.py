"""A row of an ablation against the reference row, over shared patient resamples and training seeds."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int16

from cgdmer_jax.evaluation import bootstrap, metrics

SEED = 0  # of the draw of training seeds
BySeed = Mapping[int, Float[np.ndarray, "record klass"]]


class Difference(NamedTuple):
    """Macro AUROC of a row less that of the reference, over the seeds that both have."""

    value: float
    low: float
    high: float
    n_seeds: int  # with one, the interval is over patients alone


def learned_classes(scores: Float[np.ndarray, "record klass"]) -> Bool[np.ndarray, "klass"]:
    """A class without a positive to learn from got the same score everywhere."""
    return np.ptp(scores, axis=0) > 0


def macro_auroc(scores: BySeed, labels: Bool[np.ndarray, "record klass"]) -> float:
    """macro_ge10, mean over the seeds."""
    kept = _kept([scores], labels)
    return float(np.mean([metrics.macro(metrics.auroc(one, labels), kept) for one in scores.values()]))


def macro_interval(
    scores: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
    weights: Int16[np.ndarray, "resample record"],
) -> bootstrap.Interval:
    """95 % of macro_ge10 of one run, over patients."""
    return bootstrap.interval(_macro_samples(scores, labels, _kept([{0: scores}], labels), weights))


def paired_difference(
    scores: BySeed,
    reference: BySeed,
    labels: Bool[np.ndarray, "record klass"],
    weights: Int16[np.ndarray, "resample record"],
) -> Difference:
    """Each resample draws patients (`weights`) and one seed, the same for both sides: seeds share their data order."""
    seeds = sorted(scores.keys() & reference.keys())
    if not seeds:
        raise ValueError("a paired difference needs a seed that both rows have")
    kept = _kept([scores, reference], labels)
    chosen = bootstrap.seed_of_resample(len(seeds), len(weights), SEED)
    samples = np.empty(len(weights))
    for number, seed in enumerate(seeds):
        mine = np.flatnonzero(chosen == number)
        both = (_macro_samples(side[seed], labels, kept, weights[mine]) for side in (scores, reference))
        samples[mine] = np.subtract(*both)
    points = [
        metrics.macro(metrics.auroc(scores[s], labels) - metrics.auroc(reference[s], labels), kept) for s in seeds
    ]
    return Difference(float(np.mean(points)), *bootstrap.interval(samples), len(seeds))


def _kept(sides, labels):
    learned = [learned_classes(one) for side in sides for one in side.values()]
    return np.all(learned, axis=0) & (labels.sum(0) >= metrics.ENOUGH_POSITIVES)


def _macro_samples(scores, labels, kept, weights):
    if not len(weights):
        return np.empty(0)
    return metrics.macro(
        bootstrap.bootstrap_auroc(scores[:, kept], labels[:, kept], weights), np.ones(kept.sum(), bool)
    )
