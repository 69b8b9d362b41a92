"""ViT in one dimension whose patches span all leads, as MERL's (Liu et al. 2024)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.models.dense import TORCH_START, Dense, LayerNorm
from cgdmer_jax.models.transformer import Attention, Compute, Size, scanned

EPSILON = 1e-5  # of its layer norms


class VitBlock(nn.Module):
    """Pre-norm; the house's block but for the start, the exact GELU and the epsilon of the released weights."""

    heads: int
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"]):
        dtype = self.compute.dtype
        normed = LayerNorm(dtype, EPSILON, name="norm_attention")(x)
        every = jnp.full(len(x), x.shape[1], jnp.int32)
        x = x + Attention(self.heads, self.compute, None, None, name="attention")(normed, normed, every)
        normed = LayerNorm(dtype, EPSILON, name="norm_mlp")(x)
        h = jax.nn.gelu(Dense(4 * x.shape[-1], dtype, None, name="up")(normed), approximate=False)
        return x + Dense(x.shape[-1], dtype, None, name="down")(h), None


class EcgVit1d(nn.Module):
    """Signal [batch, lead, time] -> one vector: patches of all leads, learned positions, the mean, then a norm.

    Not `pooled`: the norm of each token.
    """

    patch_samples: int
    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, signal: Float[Array, "batch lead time"], *, pooled: bool = True
    ) -> Float[Array, "batch *token width"]:
        patch = nn.Conv(
            self.size.width,
            (self.patch_samples,),
            strides=self.patch_samples,
            padding="VALID",
            use_bias=False,
            dtype=self.compute.dtype,
            kernel_init=TORCH_START,
            name="patch",
        )
        x = patch(signal.transpose(0, 2, 1).astype(self.compute.dtype))
        x = x + self.param("position", nn.initializers.normal(1.0), x.shape[1:]).astype(self.compute.dtype)
        stack = scanned(VitBlock, self.size.depth, self.compute, n_constants=0, initializing=self.is_initializing())
        x, _ = stack(self.size.heads, self.compute, name="blocks")(x)
        x = x.astype(jnp.float32)
        return LayerNorm("float32", EPSILON, name="norm")(x.mean(1) if pooled else x)
