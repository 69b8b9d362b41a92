"""Pre-norm transformer blocks, scanned over depth; keys always end at a length."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.models.attention import attention
from cgdmer_jax.models.dense import PRODUCT, Dense, LayerNorm, gelu

# The last kernel of a residual branch starts at this share of Glorot's draw, so that a block begins close to doing
# nothing and a token's content reaches the end of the stack (docs/decisions.md, "CG-DMER").
BRANCH_START = 0.1

# Of what is read or given; more than any model in use has, and what they make together is compared with the memory.
WIDEST, DEEPEST, MOST_SEQUENCE = 1 << 16, 1 << 10, 1 << 16
REMAT_POLICIES = {
    "none": None,
    "full": jax.checkpoint_policies.nothing_saveable,
    "dots": jax.checkpoint_policies.save_only_these_names(PRODUCT),
}


@dataclass(frozen=True)
class Size(Checked):
    """Width, depth and heads of one transformer; its MLPs are four times as wide."""

    width: int = setting(128, "width of its tokens", least=1, most=WIDEST)
    depth: int = setting(4, "number of its blocks", least=1, most=DEEPEST)
    heads: int = setting(4, "attention heads of each block; they divide the width", least=1, most=WIDEST)

    def fault(self) -> str | None:
        if self.width % self.heads:
            return f"has {self.heads} heads, which do not divide its width {self.width}; give heads that do"
        return None


@dataclass(frozen=True)
class Compute:
    """How a transformer is computed; none of it changes a parameter, and `dtype` alone the result beyond rounding."""

    dtype: str = "float32"  # of activations and products; parameters are float32
    remat: str = "none"  # what the backward pass computes again, one of REMAT_POLICIES
    # Blocks of a scan over depth that are compiled in a row, never more than there are: all of them on CPU (no loop
    # residuals), 1 for deep models elsewhere.
    unroll: int = 1
    attention: str = "auto"  # form of attention, one of models/attention.py KINDS


class Attention(nn.Module):
    """Multi-head attention from x to `memory` (to itself when memory is x)."""

    heads: int
    compute: Compute = Compute()
    start: float | None = 1.0  # of `Dense`
    branch_start: float | None = BRANCH_START  # of its last one

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

        dtype = self.compute.dtype
        query = split(Dense(width, dtype, self.start, name="query")(x))
        key = split(Dense(width, dtype, self.start, name="key")(memory))
        value = split(Dense(width, dtype, self.start, name="value")(memory))
        # Initialisation needs shapes alone, and attention is a good part of its trace.
        first = self.is_initializing()
        out = query if first else attention(query, key, value, memory_length, self.compute.attention)
        return Dense(width, dtype, self.branch_start, name="out")(out.reshape(x.shape))


class Mlp(nn.Module):
    """Two dense layers with a tanh GELU between (erf costs 6-11 % of a CPU step)."""

    hidden: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"]) -> Float[Array, "batch token width"]:
        h = gelu(Dense(self.hidden, self.dtype, name="up")(x))
        return Dense(x.shape[-1], self.dtype, BRANCH_START, name="down")(h)


class SelfBlock(nn.Module):
    """Self-attention, then MLP, each on the normed residual stream."""

    heads: int
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"], length: Int[Array, "batch"]):
        dtype = self.compute.dtype
        normed = LayerNorm(dtype, name="norm_attention")(x)
        x = x + Attention(self.heads, self.compute, name="attention")(normed, normed, length)
        normed = LayerNorm(dtype, name="norm_mlp")(x)
        return x + Mlp(4 * x.shape[-1], dtype, name="mlp")(normed), None


class CrossBlock(nn.Module):
    """Cross-attention to a memory, then MLP; no attention among the queries."""

    heads: int
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x, memory, memory_length):
        dtype = self.compute.dtype
        normed = LayerNorm(dtype, name="norm_attention")(x)
        x = x + Attention(self.heads, self.compute, name="attention")(normed, memory, memory_length)
        normed = LayerNorm(dtype, name="norm_mlp")(x)
        return x + Mlp(4 * x.shape[-1], dtype, name="mlp")(normed), None


def scanned(block: type[nn.Module], depth: int, compute: Compute, n_constants: int, *, initializing: bool):
    """`depth` blocks as one scan, parameters stacked on axis 0, activations rematerialised by policy.

    `initializing`: whether the caller's parameters are being made.
    """
    unroll, policy = min(compute.unroll, depth), REMAT_POLICIES[compute.remat]
    if policy is not None:
        # Blocks in a row stand in one program, where XLA would merge what is computed twice.
        block = nn.remat(block, prevent_cse=unroll > 1, policy=policy)
    return nn.scan(
        block,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        in_axes=(nn.broadcast,) * n_constants,
        length=depth,
        unroll=unroll,
        # A second trace of every block, which checks nothing that holds here; without it the parameters' first draws
        # would be others than those of earlier versions.
        check_constancy_invariants=initializing,
    )


class Encoder(nn.Module):
    """A stack of self-attention blocks and a last norm; x is of the size's width."""

    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch token width"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        stack = scanned(SelfBlock, self.size.depth, self.compute, n_constants=1, initializing=self.is_initializing())
        x, _ = stack(self.size.heads, self.compute, name="blocks")(x, length)
        return LayerNorm(self.compute.dtype, name="norm")(x)


class CrossDecoder(nn.Module):
    """A stack of cross-attention blocks and a last norm; the queries are of the size's width."""

    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch query width"],
        memory: Float[Array, "batch key memory_width"],
        memory_length: Int[Array, "batch"],
    ) -> Float[Array, "batch query width"]:
        stack = scanned(CrossBlock, self.size.depth, self.compute, n_constants=2, initializing=self.is_initializing())
        x, _ = stack(self.size.heads, self.compute, name="blocks")(x, memory, memory_length)
        return LayerNorm(self.compute.dtype, name="norm")(x)


def sin_cos_positions(n: int, width: int) -> Float[Array, "position width"]:
    """Fixed sine and cosine positions (Vaswani et al. 2017, section 3.5), halves side by side."""
    frequency = 1.0 / 10_000 ** (jnp.arange(width // 2) / (width // 2))
    angle = jnp.arange(n)[:, None] * frequency[None, :]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)
