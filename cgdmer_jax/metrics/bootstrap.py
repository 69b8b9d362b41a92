"""Bootstrap over patients: multiplicity weights on one fixed sort per class, all resamples at once."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int16, Shaped

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


def bootstrap_auroc(
    scores: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
    weights: Int16[np.ndarray, "resample record"],
) -> Float[np.ndarray, "resample klass"]:
    """Weighted AUROC of every resample and class, ties counted half; NaN where one side has no weight."""
    return _every_class(_auroc_of_class, scores, labels, weights)


def bootstrap_auprc(
    scores: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
    weights: Int16[np.ndarray, "resample record"],
) -> Float[np.ndarray, "resample klass"]:
    """Weighted average precision of every resample and class; NaN where no positive has weight."""
    return _every_class(_auprc_of_class, scores, labels, weights)


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


def _every_class(of_class, scores, labels, weights):
    n_resamples, n_records = weights.shape
    chunk = max(1, CHUNK_ELEMENTS // max(n_records, 1))
    values = np.full((n_resamples, scores.shape[1]), np.nan)
    orders = np.argsort(scores, axis=0, kind="stable")
    for first in range(0, n_resamples, chunk):
        # Records first: taking whole contiguous rows makes the per-class sort cheap.
        by_record = np.ascontiguousarray(weights[first : first + chunk].T, dtype=np.int32)
        for k in range(scores.shape[1]):
            order = orders[:, k]
            ordered, positive = scores[order, k], labels[order, k]
            if positive.any():
                values[first : first + chunk, k] = of_class(by_record, order, ordered, positive)
    return values


def _auroc_of_class(by_record, order, ordered, positive):
    """Sum over positives of the negative weight below plus half of that at the same score."""
    negative_below = _cumulated(by_record[order[~positive]])
    ordered_negatives = ordered[~positive]
    weights = by_record[order[positive]]
    left = np.searchsorted(ordered_negatives, ordered[positive], side="left")
    right = np.searchsorted(ordered_negatives, ordered[positive], side="right")
    doubled = negative_below[left] + negative_below[right]
    wins = np.einsum("pr,pr->r", weights, doubled, dtype=np.float64) / 2
    pairs = weights.sum(0, dtype=np.float64) * negative_below[-1]
    return _divide(wins, pairs)


def _auprc_of_class(by_record, order, ordered, positive):
    """Sum over positives of the precision at their score, every record at least as high counted."""
    all_below = _cumulated(by_record[order])
    weights = by_record[order[positive]]
    positive_below = _cumulated(weights)
    here = ordered[positive]
    predicted = all_below[-1] - all_below[np.searchsorted(ordered, here, side="left")]
    true = positive_below[-1] - positive_below[np.searchsorted(here, here, side="left")]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "invalid value", RuntimeWarning)  # 0 / 0 has no weight either
        precision = np.nan_to_num(true / predicted)
    return _divide((weights * precision).sum(0), positive_below[-1].astype(np.float64))


def _cumulated(weights):
    """[n + 1, resample]: the weight of the first 0..n records."""
    total = np.zeros((len(weights) + 1, weights.shape[1]), np.int32)
    np.cumsum(weights, axis=0, out=total[1:])
    return total


def _divide(above, below):
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
