"""The small model of small_model.py, exported once, and recordings to embed with it."""

import numpy as np
import pytest

from tests.interop.small_model import small_model, write_small_model


@pytest.fixture(scope="session")
def exported():
    """Arguments of `save_model` that the folder of the fixture `model` was made from."""
    return small_model()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model folder: read it, copy it, never change it."""
    return write_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="session")
def recordings_mv() -> np.ndarray:
    """Five recordings [record, lead, time] in millivolts at 500 Hz that obey Einthoven and Goldberger."""
    draw = np.random.default_rng(0)
    time = np.arange(5000) / 500
    limb = np.stack([np.sin(2 * np.pi * (f + draw.random((5, 1))) * time) for f in (1, 2)], axis=1)
    chest = np.stack([np.sin(2 * np.pi * (f + draw.random((5, 1))) * time) for f in range(1, 7)], axis=1)
    one, two = limb[:, :1], limb[:, 1:]
    return np.concatenate([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, chest], axis=1)
