"""T5's encoder (Raffel et al. 2020): RMS norms before each branch, relative positions as a bias of the scores."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from cgdmer_jax.models.text.states import ACTIVATIONS, TextStates, tied_logits
from cgdmer_jax.models.transformer import Compute, scanned

_MASKED = -1e30  # finite: a text without any token attends evenly and stays finite


def relative_buckets(n: int, buckets: int, max_distance: int) -> Int32[np.ndarray, "query key"]:
    """Number of the bucket that holds the distance from query to key.

    Half of the buckets are for keys behind the query, half for those before it. Of each half the first half holds one
    distance each, the rest grow logarithmically up to `max_distance`; what is further away shares the last.
    """
    distance = np.arange(n)[None, :] - np.arange(n)[:, None]
    half, exact = buckets // 2, buckets // 4
    far = np.abs(distance).astype(np.float32)  # float32 as in the reference: borders lie on exact powers
    with np.errstate(divide="ignore"):
        octave = np.log(far / np.float32(exact)) / np.float32(math.log(max_distance / exact)) * np.float32(half - exact)
    grown = np.where(far < exact, far, np.minimum(exact + np.maximum(octave, 0).astype(np.int32), half - 1))
    return (grown + half * (distance > 0)).astype(np.int32)


class Linear(nn.Module):
    """Linear map of the last axis without bias, on 2-D activations as `Dense`."""

    features: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*axes in"]) -> Float[Array, "*axes out"]:
        kernel = self.param("kernel", nn.initializers.xavier_uniform(), (x.shape[-1], self.features))
        flat = x.reshape(-1, x.shape[-1]).astype(self.dtype)
        return (flat @ kernel.astype(self.dtype)).reshape(*x.shape[:-1], self.features)


class RmsNorm(nn.Module):
    """Scaling to a root mean square of 1 and by a learned factor; in float32 whatever the compute dtype."""

    epsilon: float
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*axes width"]) -> Float[Array, "*axes width"]:
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],))
        x = x.astype(jnp.float32)
        return (x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + self.epsilon) * scale).astype(self.dtype)


class T5Attention(nn.Module):
    """Self-attention whose scores are not scaled by the head's width (it went into the initial weights)."""

    heads: int
    head_width: int
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch token width"], bias: Float[Array, "head query key"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        inner = self.heads * self.head_width

        def heads_of(name):
            return Linear(inner, self.dtype, name=name)(x).reshape(*x.shape[:-1], self.heads, self.head_width)

        query, key, value = heads_of("query"), heads_of("key"), heads_of("value")
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key, preferred_element_type=jnp.float32) + bias
        live = jnp.arange(x.shape[1])[None, None, None, :] < length[:, None, None, None]
        weight = jax.nn.softmax(jnp.where(live, scores, _MASKED)).astype(value.dtype)
        out = jnp.einsum("bhqk,bkhd->bqhd", weight, value)
        return Linear(x.shape[-1], self.dtype, name="out")(out.reshape(*x.shape[:-1], inner))


class T5Block(nn.Module):
    """Pre-norm; the residual stream stays in float32: real T5 weights drive it beyond what float16 can hold."""

    heads: int
    head_width: int
    hidden: int
    activation: str
    gated: bool
    epsilon: float
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch token width"], bias, length):
        normed = RmsNorm(self.epsilon, self.dtype, name="norm_attention")(x)
        x = x + T5Attention(self.heads, self.head_width, self.dtype, name="attention")(normed, bias, length)
        normed = RmsNorm(self.epsilon, self.dtype, name="norm_mlp")(x)
        up = Linear(self.hidden, self.dtype, name="up")(normed)
        if self.gated:
            up = up * ACTIVATIONS[self.activation](Linear(self.hidden, self.dtype, name="gate")(normed))
        else:
            up = ACTIVATIONS[self.activation](up)
        # float16 ends at 65,504, which this product passes in real models; the reference keeps it in float32 too.
        wide = "float32" if self.dtype == "float16" else self.dtype
        return x + Linear(x.shape[-1], wide, name="down")(up), None


class T5Encoder(nn.Module):
    """Token embeddings, pre-norm blocks that share one relative bias, a last norm; any number of tokens."""

    vocabulary: int
    width: int
    depth: int
    heads: int
    head_width: int
    hidden: int
    activation: str
    gated: bool
    buckets: int
    max_distance: int
    epsilon: float
    compute: Compute = Compute()
    frozen: int = 0  # so many first blocks are a stack of their own, `frozen_blocks` (models/text_tower.py)

    def setup(self):
        self.token = self.param("token", nn.initializers.normal(1.0), (self.vocabulary, self.width))
        self.relative = self.param("relative", nn.initializers.normal(0.02), (self.buckets, self.heads))
        if self.frozen > 0:
            self.frozen_blocks = self._stack(self.frozen)
        if self.frozen < self.depth:
            self.blocks = self._stack(self.depth - self.frozen)
        self.norm = RmsNorm(self.epsilon, self.compute.dtype)

    def __call__(self, tokens: Int32[Array, "batch token"], length: Int[Array, "batch"]) -> TextStates:
        numbers = relative_buckets(tokens.shape[1], self.buckets, self.max_distance)
        bias = self.relative[numbers].transpose(2, 0, 1)
        x = self.token[tokens]
        if self.frozen > 0:
            x, _ = self.frozen_blocks(x, bias, length)
        if self.frozen < self.depth:
            x, _ = self.blocks(x, bias, length)
        return TextStates(self.norm(x), None)

    def token_logits(self, x: Float[Array, "batch slot width"]) -> Float[Array, "batch slot vocabulary"]:
        """Logits over the vocabulary, tied to the token embeddings and scaled as T5 does: those are of size 1."""
        return tied_logits(x * self.width**-0.5, self.token)

    def _stack(self, depth: int):
        blocks = scanned(T5Block, depth, self.compute, n_constants=2, initializing=self.is_initializing())
        mlp = (self.hidden, self.activation, self.gated)
        return blocks(self.heads, self.head_width, *mlp, self.epsilon, self.compute.dtype)
