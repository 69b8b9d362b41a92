"""Named arrays in one .npz file, each compared with its checksum before it is parsed."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cgdmer_jax.errors import CgdmerError, reason_of

# Of zipfile on damaged bytes: a wrong checksum, no entry, an unknown compression, an encrypted entry.
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError)


def read_arrays(path: Path, *, remedy: str) -> dict[str, np.ndarray]:
    """All arrays of a file that `numpy.savez` wrote. NumPy alone would trust a header before its checksum is known."""
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.removesuffix(".npy") for name in file.namelist()]
            return {name: _array(file.read(f"{name}.npy")) for name in names}
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); {remedy}") from error
    except _DAMAGED as error:
        raise CgdmerError(f"{path} is damaged ({reason_of(error)}); {remedy}") from error


def _array(content: bytes) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
