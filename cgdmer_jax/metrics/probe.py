"""Linear probe: L2 logistic regression on frozen features, all classes of a task fitted together.

The objective is scikit-learn's, C * sum of log losses + |w|^2 / 2 with a free bias. Newton's method with
conjugate gradients, every class with its own step, in the principal axes of the features: there the penalty
keeps its form, and the diagonal of the Hessian is a good preconditioner.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.metrics import judged_classes
from cgdmer_jax.metrics.standardise import check_features, moments

STRENGTHS = (1e-3, 1e-2, 0.1, 1.0, 10.0)  # scikit-learn's C
NEWTON_STEPS, CG_STEPS = 60, 200
# Newton decrement g' H^-1 g before the last step: H >= 1 on the weights, so they were within its root, 1e-4,
# and the last step (its residual a hundredth) brings them near 1e-6.
TOLERANCE = 1e-8
SUFFICIENT = 1e-4  # Armijo's constant
BLOCK = 4096  # records squared at a time


@dataclass(frozen=True)
class ProbePath:
    """Probes of every strength from one training draw; `weights` act on standardised features."""

    weights: Float64[np.ndarray, "strength feature klass"]
    bias: Float64[np.ndarray, "strength klass"]
    mean: Float64[np.ndarray, "feature"]
    std: Float64[np.ndarray, "feature"]
    fitted: Bool[np.ndarray, "klass"]  # False: no positive (or no negative) to learn from; its score is constant

    def scores(self, x: Float[np.ndarray, "record feature"]) -> Float64[np.ndarray, "strength record klass"]:
        """Logits."""
        return np.einsum("nd,cdk->cnk", (x - self.mean) / self.std, self.weights, optimize=True) + self.bias[:, None]

    def losses(
        self, scores: Float64[np.ndarray, "strength record klass"], y: Bool[np.ndarray, "record klass"]
    ) -> Float64[np.ndarray, "strength"]:
        """Mean log loss of each strength over the judged classes."""
        judged = judged_classes(self.fitted, y)
        losses = _log_loss(scores, y).mean(1)
        return losses[:, judged].mean(1) if judged.any() else np.zeros(len(losses))

    def best(self, scores: Float64[np.ndarray, "strength record klass"], y: Bool[np.ndarray, "record klass"]) -> int:
        """Index of the strength with the least loss on these validation records."""
        return int(np.argmin(self.losses(scores, y)))


@dataclass(frozen=True)
class Probe:
    """A fitted probe; `weights` act on standardised features."""

    weights: Float64[np.ndarray, "feature klass"]
    bias: Float64[np.ndarray, "klass"]
    mean: Float64[np.ndarray, "feature"]
    std: Float64[np.ndarray, "feature"]
    strength: float
    fitted: Bool[np.ndarray, "klass"]  # as of its path
    losses: tuple[float, ...]  # mean validation loss of each strength tried
    n_chosen_on: int  # classes in that mean

    def scores(self, x: Float[np.ndarray, "record feature"]) -> Float64[np.ndarray, "record klass"]:
        """Probabilities."""
        return _sigmoid(((x - self.mean) / self.std) @ self.weights + self.bias)


def fit_probe_path(
    x: Float[np.ndarray, "record feature"],
    y: Bool[np.ndarray, "record klass"],
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> ProbePath:
    """Standardises on the training draw and fits every strength."""
    mean, std = moments(x, "training")
    weights, bias, fitted = fit_logistic((x - mean) / std, y, strengths)
    return ProbePath(weights, bias, mean, std, fitted)


def fit_probe(
    x_train: Float[np.ndarray, "record feature"],
    y_train: Bool[np.ndarray, "record klass"],
    x_valid: Float[np.ndarray, "other feature"],
    y_valid: Bool[np.ndarray, "other klass"],
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> Probe:
    """Keeps the strength of least mean validation loss; `n_chosen_on` says over how many classes."""
    check_features(x_valid, "validation")
    path = fit_probe_path(x_train, y_train, strengths=strengths)
    losses = path.losses(path.scores(x_valid), y_valid)
    best = int(np.argmin(losses))
    return Probe(
        path.weights[best], path.bias[best], path.mean, path.std, float(strengths[best]), path.fitted,
        tuple(losses.tolist()), int(judged_classes(path.fitted, y_valid).sum()),
    )  # fmt: skip


def fit_logistic(
    x: Float64[np.ndarray, "record feature"],
    y: Bool[np.ndarray, "record klass"],
    strengths: Sequence[float],
) -> tuple[
    Float64[np.ndarray, "strength feature klass"],
    Float64[np.ndarray, "strength klass"],
    Bool[np.ndarray, "klass"],
]:
    """(weights, bias, fitted) for each strength; a class of one value gets weights 0 and its rate as bias."""
    n_positive = y.sum(0)
    fitted = (n_positive > 0) & (n_positive < len(y))
    rate = (n_positive + 0.5) / (len(y) + 1.0)
    weights = np.zeros((len(strengths), x.shape[1], y.shape[1]))
    bias = np.tile(np.log(rate / (1 - rate)), (len(strengths), 1))
    if not fitted.any():
        return weights, bias, fitted
    _, axes = np.linalg.eigh(x.T @ x)
    rotated = np.concatenate([x @ axes, np.ones((len(x), 1))], axis=1)  # the bias is the last column
    theta = np.concatenate([np.zeros((x.shape[1], fitted.sum())), bias[:1, fitted]])
    target = y[:, fitted].astype(np.float64)
    for i in np.argsort(strengths):  # from strong to weak penalty, each started at the one before
        theta = _newton(rotated, target, strengths[i], theta)
        weights[i][:, fitted] = axes @ theta[:-1]
        bias[i, fitted] = theta[-1]
    return weights, bias, fitted


def _newton(x, y, strength, theta):
    """Minimises the objective for every column of y; columns leave when their decrement is small."""
    theta = theta.copy()
    ridge = np.ones((x.shape[1], 1))
    ridge[-1] = 0.0
    small = x.astype(np.float32)  # exactness is the gradient's business; the direction may be rough
    logits = x @ theta
    active = np.arange(y.shape[1])
    for _ in range(NEWTON_STEPS):
        t, p = theta[:, active], _sigmoid(logits[:, active])
        gradient = strength * (x.T @ (p - y[:, active])) + ridge * t
        curvature = (strength * p * (1 - p)).astype(np.float32)
        step = -_conjugate_gradients(small, curvature, ridge, gradient)
        slope = (gradient * step).sum(0)
        moved = x @ step
        size = _step_sizes(logits[:, active], moved, y[:, active], t, step, ridge, strength, slope)
        theta[:, active] += size * step
        logits[:, active] += size * moved
        active = active[~(-slope <= TOLERANCE)]
        if not len(active):
            return theta
    raise CgdmerError(
        f"the probe did not converge in {NEWTON_STEPS} Newton steps at C = {strength}; "
        "look for features of which a few records are far beyond the rest"
    )


def _conjugate_gradients(x, curvature, ridge, gradient):
    """Solves (X' diag(curvature) X + ridge) s = gradient per column, roughly far out and sharply near."""
    diagonal = ridge.copy() + np.zeros_like(gradient)
    for first in range(0, len(x), BLOCK):
        block = slice(first, first + BLOCK)
        diagonal += (x[block] ** 2).T @ curvature[block]
    norm = np.sqrt((gradient**2 / diagonal).sum(0))
    target = norm * np.clip(np.sqrt(norm), 1e-3, 0.3)
    solution, residual = np.zeros_like(gradient), gradient.copy()
    z = residual / diagonal
    direction, rz = z.copy(), (residual * z).sum(0)
    for _ in range(CG_STEPS):
        open_columns = np.flatnonzero(np.sqrt(rz) > target)
        if not len(open_columns):
            break
        d = direction[:, open_columns]
        image = x.T @ (curvature[:, open_columns] * (x @ d.astype(np.float32))) + ridge * d
        alpha = rz[open_columns] / (d * image).sum(0)
        solution[:, open_columns] += alpha * d
        residual[:, open_columns] -= alpha * image
        z = residual[:, open_columns] / diagonal[:, open_columns]
        new = (residual[:, open_columns] * z).sum(0)
        direction[:, open_columns] = z + new / rz[open_columns] * d
        rz[open_columns] = new
    return solution


def _step_sizes(logits, moved, y, theta, step, ridge, strength, slope):
    """Halves each column's step until the objective falls enough; no matrix product is needed for it."""

    def objective(size, k):
        penalty = 0.5 * (ridge * (theta[:, k] + size * step[:, k]) ** 2).sum(0)
        return strength * _log_loss(logits[:, k] + size * moved[:, k], y[:, k]).sum(0) + penalty

    size = np.ones(y.shape[1])
    everything = np.arange(y.shape[1])
    start = objective(np.zeros(y.shape[1]), everything)
    slack = 1e-12 * np.abs(start)  # near the minimum the fall is below rounding
    trying = everything
    while len(trying):
        enough = start + SUFFICIENT * size * slope + slack
        trying = trying[objective(size[trying], trying) > enough[trying]]
        trying = trying[size[trying] > 1e-6]
        size[trying] /= 2
    return size


def _sigmoid(logits):
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _log_loss(logits, y):
    """Per record and class; stable for logits of any size."""
    return np.maximum(logits, 0) - logits * y + np.log1p(np.exp(-np.abs(logits)))
