"""Figures of merit per class, on arrays; NaN where a figure is undefined."""

import warnings

import numpy as np
from jaxtyping import Bool, Float

from cgdmer_jax.evaluation.bootstrap import bootstrap_auprc, bootstrap_auroc

ENOUGH_POSITIVES = 10  # classes of `macro_ge10` (DESIGN 6)
ECE_BINS = 15


def auroc(
    scores: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]
) -> Float[np.ndarray, "klass"]:
    """Area under the receiver operating curve, ties counted half."""
    return bootstrap_auroc(scores, labels, np.ones((1, len(scores)), np.int16))[0]


def auprc(
    scores: Float[np.ndarray, "record klass"], labels: Bool[np.ndarray, "record klass"]
) -> Float[np.ndarray, "klass"]:
    """Average precision: sum over thresholds of recall gained times precision there."""
    return bootstrap_auprc(scores, labels, np.ones((1, len(scores)), np.int16))[0]


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
