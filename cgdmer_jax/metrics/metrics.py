"""Figures of merit per class, on arrays; NaN where a figure is undefined."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cgdmer_jax.metrics.bootstrap import bootstrap_auroc, bootstrap_both

ENOUGH_POSITIVES = 10  # classes of `macro_ge10`: with fewer, one record moves the figure too far
ECE_BINS = 15


def auroc(
    scores: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]
) -> Float[np.ndarray, "klass"]:
    """Area under the receiver operating curve, ties counted half."""
    return bootstrap_auroc(scores, labels, np.ones((1, len(scores)), np.int16))[0]


def auroc_and_auprc(
    scores: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]
) -> tuple[Float[np.ndarray, "klass"], Float[np.ndarray, "klass"]]:
    """AUROC and average precision (the sum over thresholds of recall gained times precision there)."""
    of_area, of_precision = bootstrap_both(scores, labels, np.ones((1, len(scores)), np.int16))
    return of_area[0], of_precision[0]


def brier(
    probabilities: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]
) -> Float[np.ndarray, "klass"]:
    """Mean squared error of the probability (Brier 1950, the two-class half of it)."""
    return np.mean((probabilities.astype(np.float64) - labels) ** 2, axis=0)


def ece(
    probabilities: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]
) -> Float[np.ndarray, "klass"]:
    """Expected calibration error: record-weighted |mean probability - prevalence| in 15 equal-width bins."""
    bins = np.minimum((probabilities * ECE_BINS).astype(int), ECE_BINS - 1)
    error = np.zeros(labels.shape[1])
    for k in range(labels.shape[1]):
        excess = np.bincount(bins[:, k], weights=probabilities[:, k].astype(np.float64) - labels[:, k])
        error[k] = np.abs(excess).sum() / len(labels)
    return error


def macro(values: Float[np.ndarray, "*rows klass"], kept: Bool[np.ndarray, "klass"]) -> Float[np.ndarray, "*rows"]:
    """Mean over the kept classes; a class that is undefined (NaN) in a row is dropped from that row."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)  # NaN is the answer
        return np.asarray(np.nanmean(values[..., kept], axis=-1))


def judged_classes(
    fitted: Bool[np.ndarray, "klass"], labels: Bool[np.ndarray, "record klass"]
) -> Bool[np.ndarray, "klass"]:
    """Classes that decide a probe's penalty: those fitted and with >= 10 positives; where there is none, all fitted."""
    judged = fitted & (labels.sum(0) >= ENOUGH_POSITIVES)
    return judged if judged.any() else fitted


class BestF1(NamedTuple):
    """Figures per class in 0..1, NaN without a positive; `threshold` is a score: from it on a record counts."""

    f1: Float[np.ndarray, "klass"]
    accuracy: Float[np.ndarray, "klass"]
    threshold: Float[np.ndarray, "klass"]


def best_f1(scores: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]) -> BestF1:
    """F1 at the threshold that is best on these very labels, and the accuracy of scores ABOVE it, as MERL reports.

    The F1 counts the record at the threshold as positive, the accuracy does not: so the release has it.
    """
    n, n_classes = scores.shape
    f1, accuracy, threshold = np.full((3, n_classes), np.nan)
    for k in np.flatnonzero(labels.any(0)):
        order = np.argsort(-scores[:, k], kind="stable")
        falling, hits = scores[order, k], np.cumsum(labels[order, k])
        last = np.append(falling[1:] != falling[:-1], True)  # the last record of each score: ties stand together
        every = 2 * hits[last] / (np.arange(1, n + 1)[last] + hits[-1])
        best = np.flatnonzero(every == every.max())[-1]  # of equal ones the lowest threshold
        f1[k] = every[best]
        threshold[k] = falling[last][best]
        accuracy[k] = np.mean((scores[:, k] > threshold[k]) == labels[:, k])
    return BestF1(f1, accuracy, threshold)
