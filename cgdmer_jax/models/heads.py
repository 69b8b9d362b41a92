"""What stands on the two encoders: pooling, the specific and shared encoders, the unit sphere."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cgdmer_jax.models.dense import Dense
from cgdmer_jax.models.transformer import Encoder

MODALITIES = ("ecg", "text")


def masked_mean(x: Float[Array, "batch token width"], live: Bool[Array, "batch token"]) -> Float[Array, "batch width"]:
    """Mean over live tokens in float32; 0 for a record without any."""
    weight = live[:, :, None].astype(jnp.float32)
    total = (jnp.where(live[:, :, None], x, 0).astype(jnp.float32)).sum(1)
    return total / jnp.maximum(weight.sum(1), 1.0)


def unit(x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
    """L2-normalised; a zero vector stays zero, with a finite gradient."""
    return x * jax.lax.rsqrt(jnp.maximum((x * x).sum(-1, keepdims=True), 1e-12))


class SecondEncoders(nn.Module):
    """One specific encoder for each modality and ONE shared encoder, same weights for both (DESIGN 4).

    The shared encoder sees each modality through its own linear map plus a modality embedding.
    """

    width: int
    depth: int
    heads: int
    dtype: str = "float32"
    remat: str = "none"
    unroll: int = 1

    def setup(self):
        def encoder():
            return Encoder(self.depth, self.heads, self.dtype, self.remat, self.unroll)

        self.specific_input = {m: Dense(self.width, self.dtype) for m in MODALITIES}
        self.shared_input = {m: Dense(self.width, self.dtype) for m in MODALITIES}
        self.specific_encoder = {m: encoder() for m in MODALITIES}
        self.shared_encoder = encoder()
        shape = (len(MODALITIES), self.width)
        self.modality = self.param("modality", nn.initializers.normal(0.02), shape)

    def specific(
        self, modality: str, x: Float[Array, "batch token in"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        return self.specific_encoder[modality](self.specific_input[modality](x), length)

    def shared(
        self, modality: str, x: Float[Array, "batch token in"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        mark = self.modality[MODALITIES.index(modality)].astype(self.dtype)
        return self.shared_encoder(self.shared_input[modality](x) + mark, length)
