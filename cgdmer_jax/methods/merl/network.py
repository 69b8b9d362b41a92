"""MERL's parameters and forward passes (docs/merl.md, "As released"); losses are elsewhere."""

from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.models.batch_norm import BatchNorm
from cgdmer_jax.models.dense import TORCH_START, Dense, precise
from cgdmer_jax.models.ecg.resnet import EcgResNet, PositionalAttentionPool
from cgdmer_jax.models.ecg.vit1d import EcgVit1d
from cgdmer_jax.models.heads import unit
from cgdmer_jax.models.transformer import DEEPEST, WIDEST, Compute, Size

POOL_HEADS = 4
MOST_STAGES = 8  # each has twice the channels of the one before


@dataclass(frozen=True)
class ResNetSize(Checked):
    """Channels of the first stage (each later one has twice as many), blocks of each stage, and their kind."""

    width: int = setting(64, "channels of the first stage; each later one has twice as many", least=1, most=WIDEST)
    blocks: tuple[int, ...] = setting((2, 2, 2, 2), "residual blocks of each stage", least=1, most=DEEPEST)
    bottleneck: bool = setting(False, "blocks of three convolutions, as in ResNet-50, in place of two")

    def fault(self) -> str | None:
        if not 1 <= len(self.blocks) <= MOST_STAGES:
            return f"has the blocks of {len(self.blocks)} stages; give those of 1 to {MOST_STAGES}"
        return None


@dataclass(frozen=True)
class VitSize(Checked):
    """Width, depth and heads of the transformer, and how much of all leads is one token."""

    width: int = setting(192, "width of its tokens", least=1, most=WIDEST)
    depth: int = setting(12, "number of its blocks", least=1, most=DEEPEST)
    heads: int = setting(3, "attention heads of each block; they divide the width", least=1, most=WIDEST)
    patch_seconds: float = setting(0.1, "length of a token, which holds all leads, in seconds", above=0)

    def fault(self) -> str | None:
        return self.transformer.fault()

    @property
    def transformer(self) -> Size:
        return Size(self.width, self.depth, self.heads)


class SignalFeatures(NamedTuple):
    """One recording: the encoder's own feature, what the two views map, and its place on the unit sphere."""

    encoder: Float[Array, "batch channel"]
    viewed: Float[Array, "batch width"]
    aligned: Float[Array, "batch embedding"]


class VitProjector(nn.Module):
    """Linear, norm, ReLU, linear, norm: what the ViT has in place of attention pooling."""

    embedding: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "batch width"], *, train: bool) -> Float[Array, "batch embedding"]:
        h = Dense(self.embedding, self.dtype, None, name="linear1")(x)
        h = BatchNorm(self.dtype, name="norm1")(h, train=train)
        h = Dense(self.embedding, self.dtype, None, name="linear2")(nn.relu(h))
        return BatchNorm(self.dtype, name="norm2")(h, train=train)


class MerlNetwork(nn.Module):
    """An ECG encoder with its two ways out, the two bias-free views, and the map behind the text encoder.

    Every weight starts as in the released code, which leaves each layer as torch makes it.
    """

    ecg: ResNetSize | VitSize
    patch_samples: int  # of a ViT's token
    embedding: int
    compute: Compute

    def setup(self):
        dtype = self.compute.dtype
        wide = str(jnp.promote_types(dtype, jnp.float32))  # what lies behind the encoder costs next to nothing
        if isinstance(self.ecg, ResNetSize):
            self.encoder = EcgResNet(self.ecg.width, self.ecg.blocks, self.ecg.bottleneck, dtype)
            self.down = Dense(self.embedding, dtype, None)  # a convolution of one sample
            self.pool = PositionalAttentionPool(POOL_HEADS, self.embedding)
        else:
            self.encoder = EcgVit1d(self.patch_samples, self.ecg.transformer, self.compute)
            self.projector = VitProjector(self.embedding, wide)
        self.view1 = nn.Dense(self.embedding, use_bias=False, kernel_init=TORCH_START)
        self.view2 = nn.Dense(self.embedding, use_bias=False, kernel_init=TORCH_START)
        self.text_hidden = Dense(self.embedding, wide, None)
        self.text_out = Dense(self.embedding, wide, None)

    def ecg_features(self, signal: Float[Array, "batch lead time"], *, train: bool) -> SignalFeatures:
        if isinstance(self.ecg, ResNetSize):
            feature_map = self.encoder(signal, train=train)
            narrow = self.down(feature_map)
            return SignalFeatures(mean_of_positions(feature_map), mean_of_positions(narrow), unit(self.pool(narrow)))
        x = self.encoder(signal)
        return SignalFeatures(x, x, unit(self.projector(x, train=train)))

    def ecg_tokens(
        self, signal: Float[Array, "batch lead time"], *, train: bool, trained_from: int = 0
    ) -> Float[Array, "batch position channel"]:
        """Positions of the ResNet's map, or tokens of the ViT, which has no norm over the batch."""
        if isinstance(self.ecg, ResNetSize):
            return self.encoder(signal, train=train, trained_from=trained_from)
        return self.encoder(signal, pooled=False)

    def views(
        self, viewed: Float[Array, "batch width"]
    ) -> tuple[Float[Array, "batch embedding"], Float[Array, "batch embedding"]]:
        """Views of one pass through the encoder; they differ by their maps, and by dropout in training."""
        return self.view1(viewed), self.view2(viewed)

    def align_text(self, vectors: Float[Array, "text vector"]) -> Float[Array, "text embedding"]:
        """The text encoder's vectors on the unit sphere."""
        return unit(self.text_out(jax.nn.gelu(self.text_hidden(vectors), approximate=False)))

    def __call__(self, signal: Float[Array, "batch lead time"], vectors: Float[Array, "batch vector"]):
        """Every parameter touched once: what `init` traces."""
        features = self.ecg_features(signal, train=False)
        return self.views(features.viewed), self.align_text(vectors)


def mean_of_positions(feature_map):
    """Over positions, in float32 at least."""
    return precise(feature_map).mean(1)
