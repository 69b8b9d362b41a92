"""Pre-norm transformer blocks, scanned over depth; keys always end at a length."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.models.attention import attention
from cgdmer_jax.models.dense import PRODUCT, Dense, LayerNorm

# The last kernel of a residual branch starts at this share of Glorot's draw, so that a block begins close to doing
# nothing and a token's content reaches the end of the stack (docs/decisions.md, "CG-DMER").
BRANCH_START = 0.1

REMAT_POLICIES = {
    "none": None,
    "full": jax.checkpoint_policies.nothing_saveable,
    "dots": jax.checkpoint_policies.save_only_these_names(PRODUCT),
}


class Attention(nn.Module):
    """Multi-head attention from x to `memory` (to itself when memory is x)."""

    heads: int
    dtype: str = "float32"
    attention: str = "auto"

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch query width"],
        memory: Float[Array, "batch key memory_width"],
        memory_length: Int[Array, "batch"],
    ) -> Float[Array, "batch query width"]:
        width = x.shape[-1]

        def split(t):
            return t.reshape(*t.shape[:-1], self.heads, width // self.heads)

        query = split(Dense(width, self.dtype, name="query")(x))
        key = split(Dense(width, self.dtype, name="key")(memory))
        value = split(Dense(width, self.dtype, name="value")(memory))
        out = attention(query, key, value, memory_length, self.attention)
        return Dense(width, self.dtype, BRANCH_START, name="out")(out.reshape(x.shape))


class Mlp(nn.Module):
    """Two dense layers with a tanh GELU between (erf costs 6-11 % of a CPU step)."""

    hidden: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"]) -> Float[Array, "batch token width"]:
        h = nn.gelu(Dense(self.hidden, self.dtype, name="up")(x), approximate=True)
        return Dense(x.shape[-1], self.dtype, BRANCH_START, name="down")(h)


class SelfBlock(nn.Module):
    """Self-attention, then MLP, each on the normed residual stream."""

    heads: int
    dtype: str = "float32"
    attention: str = "auto"

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"], length: Int[Array, "batch"]):
        normed = LayerNorm(self.dtype, name="norm_attention")(x)
        x = x + Attention(self.heads, self.dtype, self.attention, name="attention")(normed, normed, length)
        normed = LayerNorm(self.dtype, name="norm_mlp")(x)
        return x + Mlp(4 * x.shape[-1], self.dtype, name="mlp")(normed), None


class CrossBlock(nn.Module):
    """Cross-attention to a memory, then MLP; no attention among the queries."""

    heads: int
    dtype: str = "float32"
    attention: str = "auto"

    @nn.compact
    def __call__(self, x, memory, memory_length):
        normed = LayerNorm(self.dtype, name="norm_attention")(x)
        x = x + Attention(self.heads, self.dtype, self.attention, name="attention")(normed, memory, memory_length)
        normed = LayerNorm(self.dtype, name="norm_mlp")(x)
        return x + Mlp(4 * x.shape[-1], self.dtype, name="mlp")(normed), None


def scanned(block: type[nn.Module], depth: int, remat: str, unroll: int, n_constants: int):
    """`depth` blocks as one scan, parameters stacked on axis 0, activations rematerialised by policy."""
    if REMAT_POLICIES[remat] is not None:
        # Blocks in a row stand in one program, where XLA would merge what is computed twice.
        block = nn.remat(block, prevent_cse=unroll > 1, policy=REMAT_POLICIES[remat])
    return nn.scan(
        block,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        in_axes=(nn.broadcast,) * n_constants,
        length=depth,
        unroll=unroll,
    )


class Encoder(nn.Module):
    """A stack of self-attention blocks and a last norm.

    `unroll` blocks are compiled in a row: all of them on CPU (no loop residuals), 1 for deep models elsewhere.
    """

    depth: int
    heads: int
    dtype: str = "float32"
    remat: str = "none"
    unroll: int = 1
    attention: str = "auto"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch token width"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        stack = scanned(SelfBlock, self.depth, self.remat, self.unroll, n_constants=1)
        x, _ = stack(self.heads, self.dtype, self.attention, name="blocks")(x, length)
        return LayerNorm(self.dtype, name="norm")(x)


class CrossDecoder(nn.Module):
    """A stack of cross-attention blocks and a last norm."""

    depth: int
    heads: int
    dtype: str = "float32"
    remat: str = "none"
    unroll: int = 1
    attention: str = "auto"

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch query width"],
        memory: Float[Array, "batch key memory_width"],
        memory_length: Int[Array, "batch"],
    ) -> Float[Array, "batch query width"]:
        stack = scanned(CrossBlock, self.depth, self.remat, self.unroll, n_constants=2)
        x, _ = stack(self.heads, self.dtype, self.attention, name="blocks")(x, memory, memory_length)
        return LayerNorm(self.dtype, name="norm")(x)


def sin_cos_positions(n: int, width: int) -> Float[Array, "position width"]:
    """Fixed sine and cosine positions (Vaswani et al. 2017, section 3.5), halves side by side."""
    frequency = 1.0 / 10_000 ** (jnp.arange(width // 2) / (width // 2))
    angle = jnp.arange(n)[:, None] * frequency[None, :]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)
