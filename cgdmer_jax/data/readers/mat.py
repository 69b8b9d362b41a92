"""MATLAB files (MAT 5): CPSC2018's original struct `ECG`, `feats` with `curr_sample_rate`, or one matrix alone.

The form is that of MathWorks' "MAT-File Format"; scipy is the oracle of the tests and no part of the reader: it
allocates what a damaged file announces, and makes objects of whatever it finds. Of the struct the samples alone are
read, not the age and sex beside them. A `.mat` beside a header of WFDB is that record's signal file.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from cgdmer_jax.data.readers.arrays import completed, recording_of
from cgdmer_jax.data.readers.reader import Format, Hints, Location, fault, open_recording
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.waveform.lead_names import LEADS

MAGIC = b"MATLAB 5.0 MAT-file"
MAGIC_HDF5 = b"MATLAB 7.3 MAT-file"
MOST_BYTES = 1 << 29  # of the file, and of what it unpacks into
AGAIN = "fetch the record again"
CPSC2018 = Hints(500.0, LEADS, "mV")
# Array -> rate, leads and unit that the writers of the layout document: CPSC2018's `data` of the struct `ECG`, and
# `feats` of ECG-FM (CODE-15 %), whose rate stands beside it.
LAYOUTS = {"ECG.data": CPSC2018, "feats": Hints(None, LEADS, "mV")}
RATE = "curr_sample_rate"
_HEADER_BYTES = 128
_MATRIX, _COMPRESSED, _STRUCT = 14, 15, 2
_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC = range(6, 16)  # classes of matrices: double, single, and integers
_COMPLEX = 0x08


class _Matrix(NamedTuple):
    """A numeric matrix whose samples are not read yet."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    content: memoryview

    def array(self) -> Shaped[np.ndarray, "..."]:
        return np.frombuffer(self.content, self.dtype).reshape(self.shape, order="F")


def read_mat(path: str | Path, root: Path | None, hints: Hints) -> Recording:
    """Reads a MAT 5 file into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `root`: folder below which the file must lie once links are followed; None = anywhere. `hints`: rate, leads and unit
    where the file is of no known layout. What it unpacks into is bounded before it is unpacked.

    Raises RecordError where the file is damaged, of another version, or has no matrix of samples.
    """
    location = Location(Path(path))
    with open_recording(location, root) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise _too_large(location)
        content = file.read()
    if content.startswith(MAGIC_HDF5):
        sentence = 'it is of version 7.3, which is not read; save it with "-v7"'
        raise fault(location, "format", "version", sentence)
    if not content.startswith(MAGIC) or content[126:128] not in (b"IM", b"MI"):
        sentence = f"its file does not begin as MATLAB 5 writes it, and no header (.hea) describes it; {AGAIN}"
        raise fault(location, "format", "version", sentence)
    try:
        found = {matrix.name: matrix for matrix in _matrices(location, content)}
    except RecordError:
        raise
    except (struct.error, zlib.error, IndexError, ValueError) as error:
        raise fault(location, "format", "file", f"its file is damaged; {AGAIN}") from error
    name = _samples_among(location, found)
    facts = completed(Hints(_rate_beside(found)), LAYOUTS.get(name, Hints()))
    return recording_of(location, found[name].array(), completed(facts, hints))


def _samples_among(location: Location, found: dict[str, _Matrix]) -> str:
    """Name of the matrix of samples: one of a known layout, or the only one that is no single number."""
    names = [name for name in LAYOUTS if name in found]
    names = names or [name for name, matrix in found.items() if math.prod(matrix.shape) > 1]
    if len(names) != 1:
        sentence = f"its file has {len(names)} matrices of numbers, expected one; save the samples alone"
        raise fault(location, "format", "matrix", sentence)
    return names[0]


def _rate_beside(found: dict[str, _Matrix]) -> float | None:
    matrix = found.get(RATE)
    return float(matrix.array().item()) if matrix and math.prod(matrix.shape) == 1 else None


def _matrices(location: Location, content: bytes) -> Iterator[_Matrix]:
    """The numeric matrices of the file, and of structs one deep; whatever else is in it is passed over."""
    order = "<" if content[126:128] == b"IM" else ">"
    left = MOST_BYTES
    for kind, element in _elements(memoryview(content)[_HEADER_BYTES:], order, padded=False):
        if kind == _COMPRESSED:
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(element, left)
            if unpacking.unconsumed_tail:
                raise _too_large(location)
            if not unpacking.eof:
                raise ValueError("cut")
            left -= len(unpacked)
            yield from _unpacked(unpacked, order)
        elif kind == _MATRIX:
            yield from _matrix(element, order)


def _unpacked(content: bytes, order: str) -> Iterator[_Matrix]:
    for kind, element in _elements(memoryview(content), order):
        if kind == _MATRIX:
            yield from _matrix(element, order)


def _elements(view: memoryview, order: str, *, padded: bool = True) -> Iterator[tuple[int, memoryview]]:
    """Type and content of each element; at the top of a file compressed ones are not padded to 8 bytes."""
    start = 0
    while start + 8 <= len(view):
        kind, size = struct.unpack_from(f"{order}II", view, start)
        if kind >> 16:  # a short element: its size and type share four bytes
            kind, size, begin = kind & 0xFFFF, kind >> 16, start + 4
            start += 8
        else:
            begin = start + 8
            start = begin + size + (-size % 8 if padded or kind != _COMPRESSED else 0)
        if begin + size > len(view):
            raise ValueError("cut")
        yield kind, view[begin : begin + size]


def _matrix(view: memoryview, order: str, owner: str = "") -> Iterator[_Matrix]:
    elements = _elements(view, order)
    (_, flags), (_, shape), (_, name) = next(elements), next(elements), next(elements)
    word = struct.unpack_from(f"{order}I", flags)[0]
    shape = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    name = owner or bytes(name).decode("latin-1")
    if word & 0xFF == _STRUCT and not owner and math.prod(shape) == 1:
        (_, width), (_, fields) = next(elements), next(elements)
        width = struct.unpack_from(f"{order}i", width)[0]
        if width < 1:
            raise ValueError("no names")
        for start, (_, field) in zip(range(0, len(fields), width), elements, strict=True):
            inner = bytes(fields[start : start + width]).partition(b"\0")[0].decode("latin-1")
            yield from _matrix(field, order, f"{name}.{inner}")
    elif word & 0xFF in _NUMERIC and not word >> 8 & _COMPLEX:
        kind, values = next(elements)
        if kind in _VALUES:  # the smallest type that holds the values, whatever the matrix is of
            dtype = np.dtype(order + _VALUES[kind])
            if min(shape) < 0 or math.prod(shape) * dtype.itemsize != len(values):
                raise ValueError("cut")
            yield _Matrix(name, shape, dtype, values)


def _too_large(location: Location) -> RecordError:
    sentence = f"its file takes over {MOST_BYTES:,} bytes, more than is read; cut the record"
    return fault(location, "size", "length", sentence)


FORMAT = Format(
    endings=(".mat",),
    fits=lambda beginning: beginning.startswith((MAGIC, MAGIC_HDF5)),
    read=lambda location, root, hints: read_mat(location.path, root, hints),
)
