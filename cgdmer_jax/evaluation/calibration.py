"""Probabilities that mean what they say: logistic recalibration of each class on held-out records (Platt 1999)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from sklearn.linear_model import LogisticRegression

from cgdmer_jax.evaluation.metrics import ENOUGH_POSITIVES

SMALLEST = 1e-9  # of a probability, before its logarithm is taken


@dataclass(frozen=True)
class Calibration:
    """logit(calibrated) = slope logit(p) + offset; NaN for classes with too few positives or negatives to fit on."""

    slope: Float64[np.ndarray, "klass"]
    offset: Float64[np.ndarray, "klass"]

    def probabilities(self, p: Float[np.ndarray, "record klass"]) -> Float64[np.ndarray, "record klass"]:
        """NaN where the class is not calibrated."""
        return 1 / (1 + np.exp(-(self.slope * _logit(p) + self.offset)))


def fit_calibration(p: Float[np.ndarray, "record klass"], y: Bool[np.ndarray, "record klass"]) -> Calibration:
    """By class, on records that the probabilities were not fitted on."""
    slope, offset = np.full((2, p.shape[1]), np.nan)
    n_positive = y.sum(0)
    enough = np.minimum(n_positive, len(y) - n_positive) >= ENOUGH_POSITIVES
    for k in np.flatnonzero(enough):
        fitted = LogisticRegression(C=np.inf).fit(_logit(p[:, k : k + 1]), y[:, k])
        slope[k], offset[k] = fitted.coef_[0, 0], fitted.intercept_[0]
    return Calibration(slope, offset)


def _logit(p: Float[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    p = np.clip(p.astype(np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(p) - np.log1p(-p)
