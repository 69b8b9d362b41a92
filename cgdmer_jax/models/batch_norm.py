"""Batch normalisation whose running statistics live in the method's functional `state`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.models.dense import precise

STATISTICS = "statistics"  # the Linen collection that a method carries as Variables.state
MOMENTUM = 0.1  # weight of the newest batch
EPSILON = 1e-5


class BatchNorm(nn.Module):
    """Ioffe & Szegedy 2015, as torch's BatchNorm1d: the running variance is of the unbiased estimate.

    In training a batch's own mean and variance, in evaluation the running ones, which then stay as they are. The mean
    is a plain mean over the global batch, so with the batch split over devices the statistics are of all of them.
    """

    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*axes channel"], *, train: bool) -> Float[Array, "*axes channel"]:
        channels = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones_init(), channels)
        bias = self.param("bias", nn.initializers.zeros_init(), channels)
        running_mean = self.variable(STATISTICS, "mean", jnp.zeros, channels)
        running_variance = self.variable(STATISTICS, "variance", jnp.ones, channels)
        x = precise(x)
        if train:
            axes = tuple(range(x.ndim - 1))
            mean = x.mean(axes)
            variance = ((x - mean) ** 2).mean(axes)
            if not self.is_initializing():
                n = x.size // x.shape[-1]
                _move(running_mean, mean)
                _move(running_variance, variance * (n / max(n - 1, 1)))
        else:
            mean, variance = running_mean.value, running_variance.value
        return ((x - mean) * (scale * jax.lax.rsqrt(variance + EPSILON)) + bias).astype(self.dtype)


def _move(running: nn.Variable, newest: Float[Array, "channel"]) -> None:
    running.value = (1 - MOMENTUM) * running.value + MOMENTUM * newest
