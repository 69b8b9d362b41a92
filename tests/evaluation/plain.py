"""A method without a network that still has everything an evaluation needs: it trains and compiles in a second.

Pages and printed lines are the same for every method; `test_evaluate.py` scores a CG-DMER.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict

from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.protocol import Declared, Reconstruction
from configs import quickstart
from tests.toy_hosts import Contrast

PATCHES = 10  # of a lead


@dataclass(frozen=True)
class PlainConfig:
    """Fields that an evaluation sets or records; the method reads none."""

    scaling: str
    masking: str
    lead_dropout: float


class Plain(Contrast):
    """Amplitudes of the leads, contrasted with the words; it puts a flat line where something was hidden."""

    declared = Declared(recordings=True, text=True, reconstructs=True)

    def draw(self, key, batch, progress):
        noise, hidden = jax.random.split(key)
        shape = (*batch.lead_mask.shape, PATCHES)
        drawn = super().draw(noise, batch, progress)
        return {"noise": drawn, "hidden": jax.random.bernoulli(hidden, shape=shape) & batch.lead_mask[:, :, None]}

    def loss(self, variables, batch, draws, *, train):
        return super().loss(variables, batch, draws["noise"], train=train)

    def embed_ecg(self, variables, batch):
        millivolts = batch.signal.astype(jnp.float32) / 1000
        amplitudes = [reduce(millivolts, axis=2) for reduce in (jnp.std, jnp.max, jnp.min)]
        kernel = variables.params["lead"]["kernel"]
        return super().embed_ecg(variables, batch) | {
            "main": jnp.concatenate([one @ kernel for one in amplitudes], axis=1)
        }

    def reconstruct(self, variables, batch, draws):
        millivolts, hidden = batch.signal.astype(jnp.float32) / 1000, draws["hidden"]
        samples = batch.signal.shape[2] // PATCHES
        whole = millivolts[:, :, : PATCHES * samples]
        return Reconstruction(jnp.where(jnp.repeat(hidden, samples, axis=2), 0, whole), hidden)


def make_plain(config, *, n_leads, n_samples, rate, vocabulary, max_tokens, full_stop) -> Plain:
    return Plain(vocabulary)


@contextmanager
def plain_known() -> Iterator[None]:
    """As long as this lasts, `plain` is a method."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "plain", (make_plain, PlainConfig))
        yield


def plain_config(*stores: str) -> ConfigDict:
    config = quickstart.get_config()
    config.method_name = "plain"
    config.method = {"scaling": "record_std", "masking": "random", "lead_dropout": 0.0}
    config.data.update(stores=stores, batch_size=16)
    config.optimizer.update(steps=2, rate_factors=())
    config.run.validation_records = 16
    return config
