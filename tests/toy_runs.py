"""Runs of a method that the commands have never heard of: whole run folders in a second."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from ml_collections import ConfigDict

from cgdmer_jax.methods import METHODS
from configs import cgdmer
from tests.training.toy import Toy


@dataclass(frozen=True)
class ToyConfig:
    """Config of a method that reads none of its fields; `scaling` goes into the contract."""

    width: int
    scaling: str


def make_toy(config, *, n_leads, n_samples, rate, vocabulary, max_tokens, full_stop) -> Toy:
    return Toy()


@contextmanager
def toy_known() -> Iterator[None]:
    """As long as this lasts, `toy` is a method."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "toy", (make_toy, ToyConfig))
        yield


def toy_config(*stores: str, **optimizer) -> ConfigDict:
    config = cgdmer.get_config("quickstart")
    config.method_name = "toy"
    config.method = {"width": 1, "scaling": "record_std"}
    config.data.update(stores=stores, batch_size=4, vocabulary=60, max_tokens=6)
    config.optimizer.update(steps=6, rate_factors=(), **optimizer)
    config.run.update(log_every=1, validate_every=3, checkpoint_every=2, validation_records=4)
    return config
