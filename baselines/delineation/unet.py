"""A small U-Net on one lead, from samples to classes, on the method contract: what needs no pretraining."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.delineate.loss import masked_cross_entropy
from cgdmer_jax.methods.delineate.method import SHIFT_SECONDS, WAVES, Shift, turned
from cgdmer_jax.methods.delineate.network import N_CLASSES
from cgdmer_jax.methods.protocol import Aux, Declared, Variables

CHANNELS = (8, 16, 32, 64)  # of each level; time is halved from one to the next
TAPS = 7
LEAST_MV = 0.01  # a lead is divided by its standard deviation, or by this where it is flatter


class Convolved(nn.Module):
    """Convolution, layer norm over channels and GELU, twice."""

    channels: int

    @nn.compact
    def __call__(self, x: Float[Array, "row time in"]) -> Float[Array, "row time out"]:
        for _ in range(2):
            x = nn.gelu(nn.LayerNorm()(nn.Conv(self.channels, (TAPS,), padding="SAME")(x)))
        return x


class UNet(nn.Module):
    """Down by means of two samples, up by repeating them, with what stood there on the way down beside it."""

    @nn.compact
    def __call__(self, x: Float[Array, "row time"]) -> Float[Array, "row time klass"]:
        n_samples = x.shape[1]
        whole = 2 ** (len(CHANNELS) - 1)
        x = jnp.pad(x, ((0, 0), (0, -n_samples % whole)))[:, :, None]
        seen = []
        for channels in CHANNELS[:-1]:
            x = Convolved(channels)(x)
            seen.append(x)
            x = nn.avg_pool(x, (2,), (2,))
        x = Convolved(CHANNELS[-1])(x)
        for channels, before in zip(CHANNELS[-2::-1], seen[::-1], strict=True):
            x = Convolved(channels)(jnp.concatenate([jnp.repeat(x, 2, axis=1), before], axis=2))
        return nn.Dense(N_CLASSES)(x)[:, :n_samples]


class UNetDelineator:
    """The method object: each lead by itself, all with the same weights."""

    declared = Declared(recordings=False, text=False, delineates=True, record_columns=(WAVES,))

    def __init__(self, rate: float):
        self.network = UNet()
        self.most_shift = round(SHIFT_SECONDS * rate)

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        return Variables(self.network.init(key, scaled_leads(batch)[:1])["params"], {})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> Shift:
        """Nothing is scheduled."""
        return Shift(jax.random.randint(key, (len(batch.row),), -self.most_shift, self.most_shift + 1))

    def loss(self, variables: Variables, batch: Batch, draws: Shift, *, train: bool) -> tuple[Float[Array, ""], Aux]:
        classes = batch.record_columns[WAVES]
        if train:
            batch, classes = turned(batch, classes, draws.samples)
        logits = self.wave_logits(variables, batch)
        return masked_cross_entropy(logits, classes, batch.lead_mask), Aux(variables.state, {})

    def wave_logits(self, variables: Variables, batch: Batch) -> Float[Array, "batch lead time klass"]:
        logits = self.network.apply({"params": variables.params}, scaled_leads(batch))
        return logits.reshape(*batch.signal.shape, N_CLASSES)


def scaled_leads(batch: Batch) -> Float[Array, "row time"]:
    """Each lead less its mean and over its standard deviation, both of its valid samples; 0 beyond them."""
    valid = (jnp.arange(batch.signal.shape[2]) < batch.length[:, None])[:, None, :]
    n = jnp.maximum(batch.length, 1)[:, None, None]
    signal_mv = jnp.where(valid, batch.signal / 1000.0, 0.0)
    centred = jnp.where(valid, signal_mv - signal_mv.sum(2, keepdims=True) / n, 0.0)
    spread = jnp.sqrt((centred**2).sum(2, keepdims=True) / n)
    return (centred / jnp.maximum(spread, LEAST_MV)).reshape(-1, batch.signal.shape[2])
