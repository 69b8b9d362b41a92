"""ResNet-18, -34, -50 in one dimension over all leads jointly, and MERL's attention pooling (docs/merl.md).

Sizes as MERL (Liu et al. 2024, arXiv 2403.06659) released them: He et al. 2016 with a stem of 7 samples, stride 2, and
no max-pooling behind it, so that 5,000 samples become 313 positions.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.models.batch_norm import BatchNorm
from cgdmer_jax.models.dense import TORCH_START, Dense, precise

STEM_SAMPLES = 7
EXPANSION = 4  # of a bottleneck: its last convolution is so much wider


def n_positions(n_samples: int, n_stages: int = 4) -> int:
    """Positions of the last stage: the stem and every stage but the first halve, rounding up."""
    for _ in range(n_stages):
        n_samples = -(-n_samples // 2)
    return n_samples


def conv(features: int, samples: int, stride: int, dtype: str, name: str) -> nn.Conv:
    """Without bias, padded alike on both sides (XLA's "SAME" pads unevenly where stride > 1)."""
    pad = samples // 2
    return nn.Conv(
        features,
        (samples,),
        strides=stride,
        padding=[(pad, pad)],
        use_bias=False,
        dtype=dtype,
        kernel_init=TORCH_START,
        name=name,
    )


class ResBlock(nn.Module):
    """Two convolutions of 3 samples, or a bottleneck of 1, 3 and 1; the shortcut is mapped where shapes differ."""

    width: int
    stride: int
    bottleneck: bool
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch time channel"], *, train: bool) -> Float[Array, "batch time_out out"]:
        out = self.width * (EXPANSION if self.bottleneck else 1)
        # (features, samples, stride) of each convolution
        three = [(self.width, 1, 1), (self.width, 3, self.stride), (out, 1, 1)]
        layers = three if self.bottleneck else [(self.width, 3, self.stride), (out, 3, 1)]
        h = x
        for number, (features, samples, stride) in enumerate(layers, start=1):
            h = conv(features, samples, stride, self.dtype, name=f"conv{number}")(h)
            h = BatchNorm(self.dtype, name=f"norm{number}")(h, train=train)
            h = h if number == len(layers) else nn.relu(h)
        if x.shape[-1] != out or self.stride != 1:
            x = conv(out, 1, self.stride, self.dtype, name="shortcut")(x)
            x = BatchNorm(self.dtype, name="shortcut_norm")(x, train=train)
        return nn.relu(h + x)


class EcgResNet(nn.Module):
    """Signal [batch, lead, time] -> feature map [batch, time / 16, channel]; stages of 1, 2, 4, 8 times `width`."""

    width: int
    blocks: tuple[int, ...]  # of each stage
    bottleneck: bool
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, signal: Float[Array, "batch lead time"], *, train: bool, trained_from: int = 0
    ) -> Float[Array, "batch position channel"]:
        """In training too, norms before stage `trained_from` (0: the stem) are those of evaluation."""
        x = signal.transpose(0, 2, 1).astype(self.dtype)
        x = conv(self.width, STEM_SAMPLES, 2, self.dtype, name="stem")(x)
        x = nn.relu(BatchNorm(self.dtype, name="stem_norm")(x, train=train and trained_from == 0))
        for stage, n_blocks in enumerate(self.blocks, start=1):
            for block in range(n_blocks):
                stride = 2 if block == 0 and stage > 1 else 1
                shape = (self.width * 2 ** (stage - 1), stride, self.bottleneck, self.dtype)
                x = ResBlock(*shape, name=f"stage{stage}_block{block}")(x, train=train and stage >= trained_from)
        return x


class PositionalAttentionPool(nn.Module):
    """One learned query that attends to every position and to itself, then a linear map.

    As released, the query gets its position twice: once by itself and once with the others. Every part starts as those
    of torch's MultiheadAttention, which draws query, key and value as one matrix, and of its Linear.
    """

    heads: int
    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "batch position width"]) -> Float[Array, "batch out"]:
        batch, n, width = x.shape
        normal = nn.initializers.normal
        position = self.param("position", normal(1 / width), (n + 1, width))
        query = self.param("query", normal(1.0), (width,)) + position[0]
        x = precise(x)  # one query: what it costs is nothing beside the encoder
        dtype = str(x.dtype)
        x = jnp.concatenate([jnp.broadcast_to(query, (batch, 1, width)), x], axis=1) + position

        def split(t):
            return t.reshape(batch, -1, self.heads, width // self.heads)

        asked = split(Dense(width, dtype, 2**-0.5, name="to_query")(x[:, 0]))
        keys = split(Dense(width, dtype, 2**-0.5, name="to_key")(x))
        values = split(Dense(width, dtype, 2**-0.5, name="to_value")(x))
        scores = jnp.einsum("bqhd,bkhd->bhqk", asked, keys) * (width // self.heads) ** -0.5
        attended = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), values)
        mixed = Dense(width, dtype, 3**-0.5, name="mix")(attended.reshape(batch, width))
        return Dense(self.features, dtype, None, name="out")(mixed)
