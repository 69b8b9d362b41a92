"""Named arrays in one .npz file that ends with the sha256 of what comes before it, compared before anything is parsed.

`numpy.load` reads it too. Files of earlier versions end without a hash; of them each entry has its own checksum.
"""

import hashlib
import io
import math
import re
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.whole_file import open_plain, whole_file

_MARK = b"\nsha256="
_END = re.compile(_MARK + rb"([0-9a-f]{64})")
_END_BYTES = 72
# Of zipfile and NumPy on damaged bytes: a wrong checksum, no entry, an unknown compression, an encrypted entry.
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class _Hashing:
    """A file that is written from its beginning to its end, and hashed meanwhile; not to be sought in."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, content) -> int:
        self.digest.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, compress: bool) -> None:
    """Whole or not at all."""
    with whole_file(path) as file:
        hashing = _Hashing(file)
        with zipfile.ZipFile(hashing, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as entries:
            for name, array in arrays.items():  # as numpy.savez does, which asks for a file that can be read too
                with entries.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
        file.write(f"\nsha256={hashing.digest.hexdigest()}".encode())


def read_arrays(path: Path, *, remedy: str, most_bytes: int | None = None) -> dict[str, np.ndarray]:
    """All arrays of the file; `remedy` ends the error of one that is missing or damaged.

    `most_bytes`: what the file may unpack into, where it is known; more is refused before it is unpacked.
    """
    refuse_pointer(path)
    try:
        with open_plain(path) as file:
            _check_hash(file, path, remedy)
            with zipfile.ZipFile(file) as entries:  # NumPy would trust a header before its checksum is known
                names = [name.removesuffix(".npy") for name in entries.namelist()]
                if most_bytes is not None and sum(entry.file_size for entry in entries.infolist()) > most_bytes:
                    raise CgdmerError(f"{path} unpacks into more than {most_bytes} bytes; {remedy}")
                return {name: _array(entries.read(f"{name}.npy")) for name in names}
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); {remedy}") from error
    except CgdmerError:
        raise
    except _DAMAGED as error:
        raise CgdmerError(f"{path} is damaged ({reason_of(error)}); {remedy}") from error


def _check_hash(file: BinaryIO, path: Path, remedy: str) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - _END_BYTES, 0))
    last = file.read()
    if end := _END.fullmatch(last):
        file.seek(0)
        digest, left = hashlib.sha256(), size - _END_BYTES
        while left and (content := file.read(min(left, 1 << 20))):
            digest.update(content)
            left -= len(content)
        if digest.hexdigest().encode() != end[1]:
            raise CgdmerError(f"{path} differs from what was written (sha256); {remedy}")
    elif _MARK in last:
        raise CgdmerError(f"{path} is cut; {remedy}")
    file.seek(0)


def _array(content: bytes) -> np.ndarray:
    """The array of an entry, whose header is compared with its length first: NumPy would allocate what it says."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:  # the third is of arrays with named fields, which no file here has
        raise ValueError(f"an array of version {version}")
    try:
        shape, _, dtype = _HEADERS[version](file)
    except (SyntaxError, TypeError, MemoryError, tokenize.TokenError) as error:  # NumPy parses it as Python's literals
        raise ValueError("an array without a readable header") from error
    fits = all(type(size) is int for size in shape) and len(content) - file.tell() == math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and not fits:
        raise ValueError(f"an array of shape {shape} in {len(content)} bytes")
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
