"""Reading of the .npz files that this program wrote: whole, or one sentence."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from cgdmer_jax.errors import CgdmerError, reason_of

# Whatever zipfile and NumPy say of an archive in which bits have turned.
DAMAGED = (OSError, ValueError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path, *, remedy: str) -> dict[str, np.ndarray]:
    """Arrays by name; `remedy` says what to do about a file that cannot be read, as the end of a sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():  # NumPy alone would not see it where a header promises fewer numbers
                raise ValueError(f"the checksum of {damaged} is wrong")
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except DAMAGED as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); {remedy}") from error
