"""The head: from the tokens of one lead to logits for each of its samples."""

import flax.linen as nn
from jaxtyping import Array, Float

from cgdmer_jax.models.dense import Dense, LayerNorm, gelu, precise

N_CLASSES = 4  # none, P, QRS, T (data/record_columns.py)
CHANNELS = 16


class WaveHead(nn.Module):
    """Each token is drawn as its patch of samples, then one convolution in time joins neighbouring patches.

    The head sees no lead but its own and no sample of the recording: what it tells, the tokens hold. All in float32 at
    least.
    """

    patch_samples: int
    taps: int  # width of the convolution, in samples; odd

    @nn.compact
    def __call__(self, states: Float[Array, "batch lead patch width"]) -> Float[Array, "batch lead time klass"]:
        batch, leads, patches, _ = states.shape
        states = precise(states)
        dtype = str(states.dtype)
        drawn = Dense(self.patch_samples * CHANNELS, dtype, name="samples")(LayerNorm(dtype, name="norm")(states))
        drawn = gelu(drawn).reshape(batch * leads, patches * self.patch_samples, CHANNELS)
        joined = nn.Conv(CHANNELS, (self.taps,), padding="SAME", dtype=dtype, name="join")(drawn)
        logits = Dense(N_CLASSES, dtype, name="classes")(drawn + gelu(joined))
        return logits.reshape(batch, leads, -1, N_CLASSES)
