"""Transformer over tokens that each hold a stretch of time of all leads, behind a convolutional front end."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.models.dense import Dense, LayerNorm, gelu, precise
from cgdmer_jax.models.fusion import EPSILON, PostNormBlock
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.text.t5 import Linear
from cgdmer_jax.models.transformer import Compute, Size, scanned, sin_cos_positions

LOCAL, RELEASED = FRONT_ENDS = ("local", "released")
CONV_POSITIONS, CONV_GROUPS = 128, 16  # of the released positions: tokens that one sees, groups of channels


def cut(signal: Float[Array, "batch lead time"], samples: int) -> Float[Array, "batch patch sample lead"]:
    """Stretches of so many samples of all leads; what is left at the end is dropped."""
    batch, leads, time = signal.shape
    n = time // samples
    return signal[:, :, : n * samples].reshape(batch, leads, n, samples).transpose(0, 2, 3, 1)


def take_patches(x: Float[Array, "batch patch *axes"], slots: Slots) -> Float[Array, "batch slot *axes"]:
    """The patches in their slots; dead slots are 0 whatever stood there."""
    wide = (..., *[None] * (x.ndim - 2))
    return jnp.where(slots.live()[wide], jnp.take_along_axis(x, slots.index[wide], axis=1), 0.0)


class FrontEnd(nn.Module):
    """Convolutions of kernel and stride 2 without bias until one position is left of each patch, GELU after each.

    Since no kernel reaches over a stride, a token sees its own patch alone. `norm_over_time`: as released, the first
    convolution's channels are normed over all positions of a recording, hidden ones too, by which its voltage is lost.
    """

    channels: int
    norm_over_time: bool
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch patch sample lead"]) -> Float[Array, "batch patch channel"]:
        layer = 0
        while (samples := x.shape[2]) > 1:
            layer += 1
            pairs = x.reshape(*x.shape[:2], samples // 2, 2 * x.shape[3])
            x = Linear(self.channels, self.dtype, name=f"conv{layer}")(pairs)
            if layer == 1 and self.norm_over_time:
                x = self._normed(x)
            x = gelu(x)
        return x[:, :, 0]

    def _normed(self, x):
        scale = self.param("scale", nn.initializers.ones_init(), (self.channels,))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,))
        x = precise(x)
        centred = x - x.mean((1, 2), keepdims=True)
        variance = (centred**2).mean((1, 2), keepdims=True)
        return (centred * jax.lax.rsqrt(variance + EPSILON) * scale + bias).astype(self.dtype)


class ConvPositions(nn.Module):
    """Released positions: GELU of a grouped convolution over the tokens around each, those that will be hidden too.

    One product for each of its places: XLA takes minutes to compile a grouped convolution of this length for a CPU.
    """

    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch patch width"]) -> Float[Array, "batch patch width"]:
        batch, n, width = x.shape
        each = width // CONV_GROUPS
        start = nn.initializers.normal((4 / (CONV_POSITIONS * width)) ** 0.5)
        kernel = self.param("kernel", start, (CONV_POSITIONS, CONV_GROUPS, each, each)).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (width,))
        behind = CONV_POSITIONS // 2
        padded = jnp.pad(x, ((0, 0), (behind, behind - 1), (0, 0))).reshape(batch, -1, CONV_GROUPS, each)

        @jax.checkpoint
        def add(total, place):
            tokens = jax.lax.dynamic_slice_in_dim(padded, place, n, axis=1)
            return total + jnp.einsum("bngi,gio->bngo", tokens, kernel[place]), None

        total, _ = jax.lax.scan(add, jnp.zeros((batch, n, CONV_GROUPS, each), padded.dtype), jnp.arange(CONV_POSITIONS))
        return gelu(total.reshape(batch, n, width) + bias.astype(self.dtype))


class EcgSequence(nn.Module):
    """Front end, positions, [CLS] in front, then post-norm blocks over the kept tokens."""

    n_patches: int
    channels: int
    front_end: str  # one of FRONT_ENDS
    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, patches: Float[Array, "batch patch sample lead"], kept: Slots
    ) -> Float[Array, "batch one_and_slot width"]:
        """[CLS], then the tokens in their slots."""
        width, dtype = self.size.width, self.compute.dtype
        released = self.front_end == RELEASED
        x = patches if released else take_patches(patches, kept)  # nothing is computed of what is hidden
        x = FrontEnd(self.channels, released, dtype, name="front_end")(x)
        x = Dense(width, dtype, name="token")(LayerNorm(dtype, EPSILON, name="front_norm")(x))
        if released:
            x = take_patches(x + ConvPositions(dtype, name="positions")(x), kept)
        else:
            x = x + sin_cos_positions(self.n_patches, width)[kept.index].astype(dtype)
        cls = self.param("cls", nn.initializers.normal(0.02), (width,)).astype(dtype)
        x = jnp.concatenate([jnp.broadcast_to(cls, (len(x), 1, width)), x], axis=1)
        x = LayerNorm(dtype, EPSILON, name="norm")(x)
        stack = scanned(
            PostNormBlock, self.size.depth, self.compute, n_constants=1, initializing=self.is_initializing()
        )
        return stack(self.size.heads, self.compute, name="blocks")(x, kept.length + 1)[0]
