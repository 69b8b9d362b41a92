"""Probabilities that mean what they say: logistic recalibration of each class on held-out records (Platt 1999)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES

SMALLEST = 1e-9  # of a probability, before its logarithm is taken


@dataclass(frozen=True)
class Calibration:
    """logit(calibrated) = slope logit(p) + offset; NaN where nothing can be said.

    That is of classes with too few positives or negatives to fit on, and of those whose probabilities rank the wrong
    way round on the records of the fit.
    """

    slope: Float64[np.ndarray, "klass"]
    offset: Float64[np.ndarray, "klass"]

    def probabilities(self, p: Float[np.ndarray, "record klass"]) -> Float64[np.ndarray, "record klass"]:
        """NaN where the class is not calibrated."""
        return expit(self.slope * _logit(p) + self.offset)


def fit_calibration(
    p: Float[np.ndarray, "record klass"], y: Bool[np.ndarray, "record klass"], n_draws: int = 1
) -> Calibration:
    """By class, on records that the probabilities were not fitted on.

    `n_draws`: times that each record is among them, with other probabilities. It counts as one all the same.

    The targets are Platt's (1999, section 2.2): a little inside 0 and 1, so that ten separated positives do not make
    anyone certain.
    """
    slope, offset = np.full((2, p.shape[1]), np.nan)
    n_positive, n_negative = y.sum(0) // n_draws, (~y).sum(0) // n_draws
    enough = np.minimum(n_positive, n_negative) >= ENOUGH_POSITIVES
    for k in np.flatnonzero(enough):
        share = np.where(y[:, k], (n_positive[k] + 1) / (n_positive[k] + 2), 1 / (n_negative[k] + 2))
        # A target between 0 and 1 is both labels, each with its share.
        both = np.repeat([True, False], len(y))
        logits = np.tile(_logit(p[:, k : k + 1]), (2, 1))
        fitted = LogisticRegression(C=np.inf).fit(logits, both, sample_weight=np.concatenate([share, 1 - share]))
        if fitted.coef_[0, 0] > 0:
            slope[k], offset[k] = fitted.coef_[0, 0], fitted.intercept_[0]
    return Calibration(slope, offset)


def _logit(p: Float[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    p = np.clip(p.astype(np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(p) - np.log1p(-p)
