"""From the samples of a patch to its token; no sample of another patch is ever seen."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.models.dense import Dense

STEMS = ("linear", "conv")
WINDOWS = 20  # of the first convolution, whatever the rate: each four strides wide
MERGED = 4  # windows that the second one takes together


class ConvStem(nn.Module):
    """Convolution, GELU, merging convolution, GELU, linear: shape details before the first attention.

    The convolutions run inside a patch (zeros beyond its ends), so a hidden patch cannot leak into a visible one.
    """

    width: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, patches: Float[Array, "batch slot sample"]) -> Float[Array, "batch slot width"]:
        samples = patches.shape[-1]
        stride = -(-samples // WINDOWS)
        beyond = WINDOWS * stride - samples
        padded = jnp.pad(patches, ((0, 0), (0, 0), (stride, 2 * stride + beyond)))
        strides = padded.reshape(*patches.shape[:2], WINDOWS + 3, stride)
        windows = jnp.concatenate([strides[:, :, i : i + WINDOWS] for i in range(4)], axis=-1)
        x = nn.gelu(Dense(self.width // 4, self.dtype, name="first")(windows), approximate=True)
        x = x.reshape(*patches.shape[:2], WINDOWS // MERGED, -1)
        x = nn.gelu(Dense(self.width // 2, self.dtype, name="second")(x), approximate=True)
        return Dense(self.width, self.dtype, name="token")(x.reshape(*patches.shape[:2], -1))
