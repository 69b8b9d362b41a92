"""The linear probe of MERL's release: Adam on raw features, every epoch kept (docs/evaluation.md, "Protocol merl").

Of `finetune/main_single.py` and its scripts this keeps the optimiser (Adam, rate 0.001, decay 1e-4 added to the
gradient), batches of 16 in a new order each epoch with the last one short, 100 epochs, the mean binary cross-entropy,
PyTorch's first weights of a linear layer, and the schedule as it runs there: meant to fall tenfold after 40 epochs,
it counts batches (and each epoch once more). Features are frozen, unlike in the release's default; float32, not half.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from cgdmer_jax.metrics import metrics
from cgdmer_jax.metrics.standardise import check_features

EPOCHS, BATCH = 100, 16
RATE, MILESTONE, FALL = 1e-3, 40, 0.1
DECAY = 1e-4
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch.optim.Adam's own


@dataclass(frozen=True)
class SgdPath:
    """The layer after every epoch."""

    weights: Float32[np.ndarray, "epoch feature klass"]
    bias: Float32[np.ndarray, "epoch klass"]

    def scores(self, x: Float[np.ndarray, "record feature"]) -> Float32[np.ndarray, "epoch record klass"]:
        """Logits."""
        return np.einsum("nd,edk->enk", x.astype(np.float32), self.weights, optimize=True) + self.bias[:, None]


def fit_sgd(
    x: Float[np.ndarray, "record feature"], y: Bool[np.ndarray, "record klass"], *, seed: int, epochs: int = EPOCHS
) -> SgdPath:
    """Features as the encoder gives them: the release standardises nothing. The seed draws first weights and orders."""
    check_features(x, "training")
    rng = np.random.default_rng(seed)
    ones = np.ones((len(x), 1), np.float32)  # the bias is the last row of theta; torch decays it too
    inputs, target = np.concatenate([x.astype(np.float32), ones], axis=1), y.astype(np.float32)
    theta = first_theta(rng, x.shape[1], y.shape[1])
    adam = _Adam(theta)
    path = np.empty((epochs, *theta.shape), np.float32)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        shuffled, wanted = inputs[order], target[order]
        for first in range(0, len(x), BATCH):
            batch, labels = shuffled[first : first + BATCH], wanted[first : first + BATCH]
            error = _sigmoid(batch @ theta) - labels
            adam.update(theta, batch.T @ error / np.float32(error.size), rate(adam.n_steps, epoch))
        path[epoch] = theta
    return SgdPath(path[:, :-1], path[:, -1])


def first_theta(rng: np.random.Generator, n_features: int, n_classes: int) -> Float32[np.ndarray, "row klass"]:
    """torch.nn.Linear's start: weights and bias uniform within 1 / sqrt(features)."""
    bound = n_features**-0.5
    return rng.uniform(-bound, bound, (n_features + 1, n_classes)).astype(np.float32)


def rate(step: int, epoch: int) -> float:
    """Learning rate of a step counted from 0 over all epochs: the schedule moves each step and once more an epoch."""
    return RATE if step + epoch < MILESTONE else RATE * FALL


def macro_aurocs(
    scores: Float[np.ndarray, "epoch record klass"], labels: Bool[np.ndarray, "record klass"]
) -> Float[np.ndarray, "epoch"]:
    """Mean AUROC over all classes that have both values among these records, of each epoch."""
    every = np.ones(labels.shape[1], bool)
    return np.array([metrics.macro(metrics.auroc(one, labels), every) for one in scores])


def best_epoch(scores: Float[np.ndarray, "epoch record klass"], labels: Bool[np.ndarray, "record klass"]) -> int:
    """The first epoch of the highest macro AUROC; the last one where no class has both values."""
    macros = macro_aurocs(scores, labels)
    return len(macros) - 1 if np.isnan(macros).all() else int(np.nanargmax(macros))


class _Adam:
    """torch.optim.Adam with weight_decay (added to the gradient, not AdamW), in place."""

    def __init__(self, theta):
        self.n_steps = 0
        self.mean, self.square = np.zeros_like(theta), np.zeros_like(theta)

    def update(self, theta, gradient, learning_rate):
        self.n_steps += 1
        gradient += np.float32(DECAY) * theta
        self.mean += np.float32(1 - BETA1) * (gradient - self.mean)
        self.square *= np.float32(BETA2)
        self.square += np.float32(1 - BETA2) * gradient * gradient
        size = np.float32(learning_rate / (1 - BETA1**self.n_steps))
        root = np.float32((1 - BETA2**self.n_steps) ** 0.5)
        theta -= size * self.mean / (np.sqrt(self.square) / root + np.float32(EPSILON))


def _sigmoid(logits):
    return np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * logits))
