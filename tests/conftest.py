"""Shared fixtures. Shapes are checked: jaxtyping's import hook runs beartype over the package."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

os.environ.setdefault("JAX_PLATFORMS", "cpu")
hook = install_import_hook("cgdmer_jax", "beartype.beartype")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and tables; skips with a reason where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: real recordings are not part of the project")
    return folder
