"""Post-norm transformer blocks, and two streams of them that read each other: fusion of recordings with reports."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.models.dense import Dense, LayerNorm, gelu, precise
from cgdmer_jax.models.transformer import Attention, Compute, Size, scanned

EPSILON = 1e-5  # of the norms


class PostNormBlock(nn.Module):
    """Self-attention, cross-attention where there is a memory, MLP; each is added to the stream, which is then normed.

    A record without any memory takes nothing from it.
    """

    heads: int
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch token width"],
        length: Int[Array, "batch"],
        memory: Float[Array, "batch key width"] | None = None,
        memory_length: Int[Array, "batch"] | None = None,
    ):
        dtype, width = self.compute.dtype, x.shape[-1]
        x = self._normed_sum(x, Attention(self.heads, self.compute, name="attention")(x, x, length), "norm_attention")
        if memory is not None:
            read = Attention(self.heads, self.compute, name="cross_attention")(x, memory, memory_length)
            read = jnp.where((memory_length > 0)[:, None, None], read, 0)
            x = self._normed_sum(x, read, "norm_cross_attention")
        up = gelu(Dense(4 * width, dtype, name="up")(x))
        return self._normed_sum(x, Dense(width, dtype, name="down")(up), "norm_mlp"), None

    def _normed_sum(self, x, branch, name: str):
        return LayerNorm(self.compute.dtype, EPSILON, name=name)(precise(x) + precise(branch))


class Streams(NamedTuple):
    """Tokens of both modalities between two layers."""

    ecg: Float[Array, "batch token width"]
    text: Float[Array, "batch word width"]


class FusionLayer(nn.Module):
    """A block for each stream; both read the other as it was before this layer."""

    heads: int
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, streams: Streams, ecg_length: Int[Array, "batch"], text_length: Int[Array, "batch"]):
        ecg, text = (
            PostNormBlock(self.heads, self.compute, name="ecg"),
            PostNormBlock(self.heads, self.compute, name="text"),
        )
        made = Streams(
            ecg(streams.ecg, ecg_length, streams.text, text_length)[0],
            text(streams.text, text_length, streams.ecg, ecg_length)[0],
        )
        return made, None


class Fusion(nn.Module):
    """A stack of fusion layers, and what enters its middle layer: half of them behind, half before."""

    size: Size  # of depth 2 at least
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, streams: Streams, ecg_length: Int[Array, "batch"], text_length: Int[Array, "batch"]
    ) -> tuple[Streams, Streams]:
        """(streams entering the middle layer, streams leaving the last one)."""
        lower = self.size.depth // 2
        middle, _ = self._stack(lower, "lower")(streams, ecg_length, text_length)
        last, _ = self._stack(self.size.depth - lower, "upper")(middle, ecg_length, text_length)
        return middle, last

    def _stack(self, depth: int, name: str):
        layers = scanned(FusionLayer, depth, self.compute, n_constants=2, initializing=self.is_initializing())
        return layers(self.size.heads, self.compute, name=name)
