"""Ridge classification of many features: one-vs-rest least squares on +-1 targets, in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.linalg import cho_factor, cho_solve

from cgdmer_jax.evaluation.metrics import ENOUGH_POSITIVES, auroc, macro
from cgdmer_jax.evaluation.standardise import training_moments

PENALTIES = (1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5)  # scikit-learn's alpha
BLOCK = 2048  # records standardised at a time


@dataclass(frozen=True)
class Ridge:
    """Fitted weights on standardised features; scores are not probabilities."""

    weights: Float64[np.ndarray, "feature klass"]
    bias: Float64[np.ndarray, "klass"]
    mean: Float64[np.ndarray, "feature"]
    std: Float64[np.ndarray, "feature"]
    penalty: float
    fitted: Bool[np.ndarray, "klass"]  # False: one value only in training
    aurocs: tuple[float, ...]  # mean validation AUROC of each penalty tried

    def scores(self, x: Float[np.ndarray, "record feature"]) -> Float64[np.ndarray, "record klass"]:
        """Least-squares estimates of the +-1 target."""
        blocks = [(x[i : i + BLOCK] - self.mean) / self.std @ self.weights for i in range(0, len(x), BLOCK)]
        return np.concatenate(blocks) + self.bias


def fit_ridge(
    x_train: Float[np.ndarray, "record feature"],
    y_train: Bool[np.ndarray, "record klass"],
    x_valid: Float[np.ndarray, "other feature"],
    y_valid: Bool[np.ndarray, "other klass"],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Ridge:
    """Standardises on the training draw; keeps the penalty of highest mean validation AUROC.

    The mean is over fitted classes with >= 10 validation positives; where none has, over all fitted ones.
    """
    mean, std = training_moments(x_train, x_valid)
    rate = y_train.mean(0)
    fitted = (rate > 0) & (rate < 1)
    bias = 2 * rate - 1
    target = 2.0 * (y_train - rate)
    judged = fitted & (y_valid.sum(0) >= ENOUGH_POSITIVES)
    judged = judged if judged.any() else fitted
    candidates, aurocs = [], []
    for penalty, weights in zip(penalties, _solve(x_train, mean, std, target, penalties), strict=True):
        candidates.append(Ridge(weights, bias, mean, std, float(penalty), fitted, ()))
        aurocs.append(float(macro(auroc(candidates[-1].scores(x_valid), y_valid), judged)))
    best = candidates[int(np.nanargmax(aurocs)) if np.isfinite(aurocs).any() else 0]
    return Ridge(best.weights, bias, mean, std, best.penalty, fitted, tuple(aurocs))


def _solve(x, mean, std, target, penalties):
    """Yields weights [feature, class] per penalty, from the smaller Gram matrix: of features or of records.

    It works in the features' own precision: the rounding of a float32 Gram matrix of 17,084 records (largest
    eigenvalue below 1e8, so a few units) is small beside the penalties.
    """
    if len(x) >= x.shape[1]:
        gram, right = np.zeros((x.shape[1], x.shape[1]), x.dtype), np.zeros((x.shape[1], target.shape[1]))
        for first in range(0, len(x), BLOCK):
            block = ((x[first : first + BLOCK] - mean) / std).astype(x.dtype)
            gram += block.T @ block
            right += block.T @ target[first : first + BLOCK].astype(x.dtype)
        for penalty in penalties:
            yield _solve_positive(gram, penalty, right)
        return
    standard = ((x - mean) / std).astype(x.dtype)
    gram = standard @ standard.T
    for penalty in penalties:
        yield standard.T.astype(np.float64) @ _solve_positive(gram, penalty, target)


def _solve_positive(gram, penalty, right):
    """(gram + penalty)^-1 right."""
    shifted = gram.copy()
    shifted[np.diag_indices_from(shifted)] += penalty
    factor = cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, right.astype(gram.dtype)).astype(np.float64)
