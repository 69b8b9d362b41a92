"""Bootstrap over patients: multiplicity weights on one fixed sort of each class, all resamples at once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int16, Int32, Shaped
from scipy.sparse import csr_array

N_RESAMPLES = 1000
CHUNK_ELEMENTS = 4_000_000  # records x resamples held at a time (16 MB an int32 array)


def patient_weights(
    patient_ids: Shaped[np.ndarray, "record"], n_resamples: int, seed: int
) -> Int16[np.ndarray, "resample record"]:
    """Number of times each record occurs when all patients are resampled with replacement."""
    patients, of_record = np.unique(patient_ids, return_inverse=True)
    rng = np.random.default_rng(seed)
    weights = np.empty((n_resamples, len(patient_ids)), np.int16)
    for resample in range(n_resamples):
        drawn = rng.integers(0, len(patients), len(patients))
        weights[resample] = np.bincount(drawn, minlength=len(patients))[of_record]
    return weights


class _Sorted(NamedTuple):
    """One class in every resample: its positives in rising order of their scores, and the negatives beneath them."""

    positive: Int32[np.ndarray, "positive resample"]  # weight
    first_equal: Int[np.ndarray, "positive"]  # place of the first positive of the same score
    negative_below: Int32[np.ndarray, "positive resample"]  # weight of the negatives that score less
    negative_up_to: Int32[np.ndarray, "positive resample"]  # and of those that score as much
    negative: Int32[np.ndarray, "resample"]  # of all of them


def bootstrap_auroc(
    scores: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
    weights: Int16[np.ndarray, "resample record"],
) -> Float[np.ndarray, "resample klass"]:
    """Weighted AUROC of every resample and class, ties counted half; NaN where one side has no weight."""
    return _every_class((_auroc,), scores, labels, weights)[0]


def bootstrap_both(
    scores: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
    weights: Int16[np.ndarray, "resample record"],
) -> tuple[Float[np.ndarray, "resample klass"], Float[np.ndarray, "resample klass"]]:
    """(AUROC, weighted average precision) from one pass over the records; NaN where no positive has weight."""
    auroc, auprc = _every_class((_auroc, _auprc), scores, labels, weights)
    return auroc, auprc


class Interval(NamedTuple):
    low: float
    high: float


def interval(samples: Float[np.ndarray, "resample"]) -> Interval:
    """95 % percentile interval; undefined resamples (NaN) are left out, all undefined gives NaN."""
    defined = samples[np.isfinite(samples)]
    if not len(defined):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(low), float(high))


def seed_of_resample(n_seeds: int, n_resamples: int, seed: int) -> Int[np.ndarray, "resample"]:
    """The training seed that each resample draws, so that the interval holds the spread between seeds too."""
    return np.random.default_rng([seed, 1]).integers(0, n_seeds, n_resamples)


def _every_class(
    figures: tuple[Callable, ...], scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> list[np.ndarray]:
    """[resample, class] of each figure."""
    n_resamples, n_records = weights.shape
    chunk = max(1, CHUNK_ELEMENTS // max(n_records, 1))
    values = [np.full((n_resamples, scores.shape[1]), np.nan) for _ in figures]
    orders = np.argsort(scores, axis=0, kind="stable")
    for first in range(0, n_resamples, chunk):
        # Records first: a record's weights in all resamples lie in a row and are added as one.
        by_record = np.ascontiguousarray(weights[first : first + chunk].T, dtype=np.int32)
        for k in np.flatnonzero(labels.any(0)):
            order = orders[:, k]
            of_class = _sorted(by_record, order, scores[order, k], labels[order, k])
            for value, figure in zip(values, figures, strict=True):
                value[first : first + chunk, k] = figure(of_class)
    return values


def _sorted(by_record, order, ordered, positive) -> _Sorted:
    here, negatives = ordered[positive], ordered[~positive]
    left, right = (np.searchsorted(negatives, here, side=side) for side in ("left", "right"))
    # The negatives are summed between the places where a positive stands, by a product with a matrix of ones.
    edges = np.unique(np.concatenate([[0, len(negatives)], left, right]))
    ones = np.ones(len(negatives), np.int32)
    between = csr_array((ones, order[~positive], edges), shape=(len(edges) - 1, len(order)))
    below = _cumulated(between @ by_record)
    return _Sorted(
        by_record[order[positive]],
        np.searchsorted(here, here, side="left"),
        below[np.searchsorted(edges, left)],
        below[np.searchsorted(edges, right)],
        below[-1],
    )


def _auroc(of_class: _Sorted) -> np.ndarray:
    """Sum over positives of the negative weight below plus half of that at the same score."""
    doubled = of_class.negative_below + of_class.negative_up_to
    wins = np.einsum("pr,pr->r", of_class.positive, doubled, dtype=np.float64) / 2
    return _divide(wins, of_class.positive.sum(0, dtype=np.float64) * of_class.negative)


def _auprc(of_class: _Sorted) -> np.ndarray:
    """Sum over positives of the precision at their score, every record at least as high counted."""
    positive_below = _cumulated(of_class.positive)
    true = positive_below[-1] - positive_below[of_class.first_equal]
    false = of_class.negative - of_class.negative_below
    precision = np.divide(true, true + false, out=np.zeros(true.shape), where=true > 0)
    return _divide((of_class.positive * precision).sum(0), positive_below[-1].astype(np.float64))


def _cumulated(weights):
    """[n + 1, resample]: the weight of the first 0..n rows."""
    total = np.zeros((len(weights) + 1, weights.shape[1]), np.int32)
    if weights.shape[1] == 1:
        np.cumsum(weights, axis=0, out=total[1:])
    else:  # row by row: cumsum runs down one column after another, ten times as slowly
        for before, added, after in zip(total[:-1], weights, total[1:], strict=True):
            np.add(before, added, out=after)
    return total


def _divide(above, below):
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
