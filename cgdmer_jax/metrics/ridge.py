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
        return _highest(self.merits(scores, y))


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
    return fit_ridge_paths(x, [y], penalties=penalties)[0]


def fit_ridge_paths(
    x: Float[np.ndarray, "record feature"],
    ys: Sequence[Bool[np.ndarray, "record _"]],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> list[RidgePath]:
    """The same of several sets of classes of the same records, which share the Gram matrix and its factors."""
    mean, std = moments(x, "training")
    rates = [y.mean(0) for y in ys]
    targets = [2.0 * (y - rate) for y, rate in zip(ys, rates, strict=True)]
    weights = _solve(x, mean, std, targets, penalties)
    return [
        RidgePath(of_set, 2 * rate - 1, mean, std, (rate > 0) & (rate < 1))
        for of_set, rate in zip(weights, rates, strict=True)
    ]


def choose_penalty(
    path: RidgePath,
    x_valid: Float[np.ndarray, "other feature"],
    y_valid: Bool[np.ndarray, "other klass"],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Ridge:
    """Keeps the one of highest mean validation AUROC; `penalties` are those of the path."""
    check_features(x_valid, "validation")
    merits = path.merits(path.scores(x_valid), y_valid)
    best = _highest(merits)
    return Ridge(path, best, float(penalties[best]), tuple(merits))


def _highest(merits: Sequence[float]) -> int:
    return int(np.nanargmax(merits)) if np.isfinite(merits).any() else 0


def _solve(x, mean, std, targets, penalties):
    """Weights [penalty, feature, class] of each target, from the smaller Gram matrix: of features or of records.

    It works in the features' own precision: the rounding of a float32 Gram matrix of 17,084 records (largest
    eigenvalue below 1e8, so a few units) is small beside the penalties.
    """
    n_features = x.shape[1]
    if len(x) >= n_features:
        gram = np.zeros((n_features, n_features), x.dtype)
        rights = [np.zeros((n_features, target.shape[1])) for target in targets]
        for first in range(0, len(x), BLOCK):
            block = _standard(x[first : first + BLOCK], mean, std)
            gram += block.T @ block
            for right, target in zip(rights, targets, strict=True):
                right += block.T @ target[first : first + BLOCK].astype(x.dtype)
        solved = [_solve_positive(gram, penalty, rights) for penalty in penalties]
        return [np.stack(of_penalties) for of_penalties in zip(*solved, strict=True)]
    standard = _standard(x, mean, std)
    gram = standard @ standard.T
    solved = [_solve_positive(gram, penalty, targets) for penalty in penalties]
    duals = [np.concatenate(of_penalties, axis=1).astype(x.dtype) for of_penalties in zip(*solved, strict=True)]
    return [(standard.T @ dual).reshape(n_features, len(penalties), -1).transpose(1, 0, 2) for dual in duals]


def _standard(x, mean, std):
    return ((x - mean.astype(x.dtype)) / std.astype(x.dtype)).astype(x.dtype)


def _solve_positive(gram, penalty, rights):
    """(gram + penalty)^-1 right, of each right."""
    shifted = gram.copy()
    shifted[np.diag_indices_from(shifted)] += penalty
    factor = cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
    return [cho_solve(factor, right.astype(gram.dtype)).astype(np.float64) for right in rights]
