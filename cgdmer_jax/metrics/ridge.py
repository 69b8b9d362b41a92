"""Ridge classification of many features: one-vs-rest least squares on +-1 targets, in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.linalg import cho_factor, cho_solve

from cgdmer_jax.metrics.metrics import auroc, judged_classes, macro
from cgdmer_jax.metrics.standardise import check_features, moments

PENALTIES = (1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5)  # scikit-learn's alpha
BLOCK = 2048  # records standardised at a time


@dataclass(frozen=True)
class RidgePath:
    """Weights of every penalty on standardised features, from one training draw; scores are not probabilities."""

    weights: Float[np.ndarray, "penalty feature klass"]
    bias: Float64[np.ndarray, "klass"]
    mean: Float64[np.ndarray, "feature"]
    std: Float64[np.ndarray, "feature"]
    fitted: Bool[np.ndarray, "klass"]  # False: one value only in training

    def scores(self, x: Float[np.ndarray, "record feature"]) -> Float64[np.ndarray, "penalty record klass"]:
        """Least-squares estimates of the +-1 target."""
        n_penalties, n_features, n_classes = self.weights.shape
        together = self.weights.transpose(1, 0, 2).reshape(n_features, -1).astype(x.dtype)
        blocks = [_standard(x[i : i + BLOCK], self.mean, self.std) @ together for i in range(0, len(x), BLOCK)]
        made = np.concatenate(blocks).astype(np.float64).reshape(len(x), n_penalties, n_classes)
        return made.transpose(1, 0, 2) + self.bias

    def merits(
        self, scores: Float64[np.ndarray, "penalty record klass"], y: Bool[np.ndarray, "record klass"]
    ) -> list[float]:
        """Mean AUROC of each penalty over the judged classes."""
        judged = judged_classes(self.fitted, y)
        return [float(macro(auroc(one, y), judged)) for one in scores]

    def best(self, scores: Float64[np.ndarray, "penalty record klass"], y: Bool[np.ndarray, "record klass"]) -> int:
        """Index of the penalty with the highest merit on these validation records."""
        merits = self.merits(scores, y)
        return int(np.nanargmax(merits)) if np.isfinite(merits).any() else 0


@dataclass(frozen=True)
class Ridge:
    """The chosen penalty of a path."""

    path: RidgePath
    chosen: int
    penalty: float
    aurocs: tuple[float, ...]  # mean validation AUROC of each penalty tried

    @property
    def fitted(self) -> Bool[np.ndarray, "klass"]:
        return self.path.fitted

    @property
    def weights(self) -> Float[np.ndarray, "feature klass"]:
        return self.path.weights[self.chosen]

    def scores(self, x: Float[np.ndarray, "record feature"]) -> Float64[np.ndarray, "record klass"]:
        one = replace(self.path, weights=self.path.weights[self.chosen : self.chosen + 1])
        return one.scores(x)[0]


def fit_ridge_path(
    x: Float[np.ndarray, "record feature"],
    y: Bool[np.ndarray, "record klass"],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> RidgePath:
    """Standardises on the training draw and fits every penalty."""
    mean, std = moments(x, "training")
    rate = y.mean(0)
    target = 2.0 * (y - rate)
    return RidgePath(_solve(x, mean, std, target, penalties), 2 * rate - 1, mean, std, (rate > 0) & (rate < 1))


def fit_ridge(
    x_train: Float[np.ndarray, "record feature"],
    y_train: Bool[np.ndarray, "record klass"],
    x_valid: Float[np.ndarray, "other feature"],
    y_valid: Bool[np.ndarray, "other klass"],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Ridge:
    """Keeps the penalty of highest mean validation AUROC."""
    check_features(x_valid, "validation")
    path = fit_ridge_path(x_train, y_train, penalties=penalties)
    scores = path.scores(x_valid)
    best = path.best(scores, y_valid)
    return Ridge(path, best, float(penalties[best]), tuple(path.merits(scores, y_valid)))


def _solve(x, mean, std, target, penalties):
    """Weights [penalty, feature, class] from the smaller Gram matrix: of features or of records.

    It works in the features' own precision: the rounding of a float32 Gram matrix of 17,084 records (largest
    eigenvalue below 1e8, so a few units) is small beside the penalties.
    """
    n_features, n_classes = x.shape[1], target.shape[1]
    if len(x) >= n_features:
        gram, right = np.zeros((n_features, n_features), x.dtype), np.zeros((n_features, n_classes))
        for first in range(0, len(x), BLOCK):
            block = _standard(x[first : first + BLOCK], mean, std)
            gram += block.T @ block
            right += block.T @ target[first : first + BLOCK].astype(x.dtype)
        return np.stack([_solve_positive(gram, penalty, right) for penalty in penalties])
    standard = _standard(x, mean, std)
    gram = standard @ standard.T
    dual = np.concatenate([_solve_positive(gram, penalty, target) for penalty in penalties], axis=1)
    return (standard.T @ dual.astype(x.dtype)).reshape(n_features, len(penalties), n_classes).transpose(1, 0, 2)


def _standard(x, mean, std):
    return ((x - mean.astype(x.dtype)) / std.astype(x.dtype)).astype(x.dtype)


def _solve_positive(gram, penalty, right):
    """(gram + penalty)^-1 right."""
    shifted = gram.copy()
    shifted[np.diag_indices_from(shifted)] += penalty
    factor = cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, right.astype(gram.dtype)).astype(np.float64)
