"""SimCLR (Chen et al. 2020) on recordings alone: a method without text, as CONTRIBUTING.md says to add one."""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.contract import SCALINGS
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.models.ecg.scaling import scale
from cgdmer_jax.models.heads import unit
from cgdmer_jax.models.masking.slots import drop_leads
from configs import cgdmer


@dataclass(frozen=True)
class SimClrConfig(Checked):
    """`config.method` of SimCLR."""

    where = "config.method"

    scaling: str = setting("record_std", "how a recording is scaled", choices=SCALINGS)
    width: int = setting(16, "channels of the convolutions, and numbers of the feature", least=1, most=4096)
    projected: int = setting(8, "numbers that the loss compares", least=1, most=4096)
    temperature: float = setting(0.1, "of the loss", above=0)
    lead_dropout: float = setting(0.2, "share of the recordings that lose leads in a view", least=0, most=1)
    noise: float = setting(0.1, "standard deviation of a view's noise, in that of the scaled recording", least=0)


class View(NamedTuple):
    """Augmentation that makes one view of a recording."""

    lead_mask: np.ndarray  # [batch, lead]
    noise: np.ndarray  # [batch, lead, time]


class Network(nn.Module):
    """Two convolutions and the mean over time (`main`); a perceptron on top of it for the loss alone."""

    width: int
    projected: int

    def setup(self):
        self.convs = [nn.Conv(self.width, (9,), strides=4, name=f"conv{number}") for number in range(2)]
        self.hidden, self.out = nn.Dense(self.width, name="hidden"), nn.Dense(self.projected, name="out")

    def encode(self, signal):
        x = jnp.swapaxes(signal, 1, 2)
        for conv in self.convs:
            x = nn.relu(conv(x))
        return x.mean(1)

    def __call__(self, signal):
        return self.out(nn.relu(self.hidden(self.encode(signal))))


class SimClr:
    declared = Declared(recordings=True, text=False)

    def __init__(self, config, *, n_leads, n_samples, rate, vocabulary, max_tokens, full_stop):
        self.config, self.network = config, Network(config.width, config.projected)

    def init(self, key, batch):
        return Variables(self.network.init(key, self._signal(batch, batch.lead_mask))["params"], {})

    def draw(self, key, batch, progress):
        def view(key) -> View:
            lead_key, noise_key = jax.random.split(key)
            noise = self.config.noise * jax.random.normal(noise_key, batch.signal.shape)
            return View(drop_leads(lead_key, batch.lead_mask, self.config.lead_dropout), noise)

        return tuple(view(one) for one in jax.random.split(key))

    def loss(self, variables, batch, draws, *, train):
        seen = [self._signal(batch, view.lead_mask) + view.noise for view in draws]
        one, other = (unit(self.network.apply({"params": variables.params}, signal)) for signal in seen)
        loss = nt_xent(one, other, self.config.temperature)
        return loss, Aux(variables.state, {"views": loss})

    def embed_ecg(self, variables, batch):
        signal = self._signal(batch, batch.lead_mask)
        return {"main": self.network.apply({"params": variables.params}, signal, method="encode")}

    def _signal(self, batch, lead_mask):
        return scale(batch.signal, lead_mask, batch.length, self.config.scaling).signal


def nt_xent(one, other, temperature):
    """Cross-entropy of finding a record's other view among all 2 B - 1 other vectors."""
    both, n = jnp.concatenate([one, other]), len(one)
    logits = jnp.where(jnp.eye(2 * n, dtype=bool), -jnp.inf, both @ both.T / temperature)
    partner = jnp.roll(jnp.arange(2 * n), n)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), partner[:, None], axis=1).mean()


@contextmanager
def simclr_known():
    """As long as this lasts, `simclr` is a method."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "simclr", (SimClr, SimClrConfig))
        yield


def get_config(*stores: str) -> ConfigDict:
    config = cgdmer.get_config("quickstart")
    config.method_name = "simclr"
    config.method = defaults(SimClrConfig)
    config.data.update(stores=stores, batch_size=8)
    config.optimizer.update(steps=30, learning_rate=0.01, rate_factors=())
    config.run.update(log_every=1, validate_every=15, checkpoint_every=15, validation_records=16, diagnose_every=10)
    return config
