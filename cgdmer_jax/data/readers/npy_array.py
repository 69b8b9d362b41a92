"""One array of NumPy's format: its header, read without evaluating it, and its bytes, bounded before they are read."""

import io
import math
import tokenize
from typing import NamedTuple

import numpy as np

from cgdmer_jax.data.readers.checks import MOST_SAMPLES, MOST_SIGNALS
from cgdmer_jax.data.readers.reader import Location, fault
from cgdmer_jax.data.readers.recording import RecordError

MAGIC = b"\x93NUMPY"
MOST_FACT_BYTES = 1 << 16  # of leads, rate or unit, and of a header
AGAIN = "save it again with numpy"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class NpyArray(NamedTuple):
    """An array whose header alone is read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    in_columns: bool
    start: int  # bytes of the header

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_array_header(location: Location, file: io.BufferedIOBase) -> NpyArray:
    """Shape and type of an array, and where it begins; the file stands there afterwards."""
    beginning = read_exactly(location, file, 12)
    try:
        version = np.lib.format.read_magic(io.BytesIO(beginning[:8]))
        read = _HEADERS[version]
        width = 2 if version == (1, 0) else 4
        length = int.from_bytes(beginning[8 : 8 + width], "little")
        if length > MOST_FACT_BYTES:
            raise ValueError("a long header")
        text = beginning[8:] + read_exactly(location, file, length - (4 - width))
        shape, in_columns, dtype = read(io.BytesIO(text))
    except RecordError:
        raise
    # NumPy parses the header as a literal of Python; KeyError: a version of its own.
    except (ValueError, KeyError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError) as error:
        raise fault(location, "header", "header", f"its array has no readable header; {AGAIN}") from error
    if not all(type(size) is int and size >= 0 for size in shape):
        raise fault(location, "header", "shape", f"its array has no readable shape; {AGAIN}")
    return NpyArray(shape, dtype, in_columns, 8 + width + length)


def checked_whole(location: Location, array: NpyArray, size: int) -> NpyArray:
    """The array, once it takes the whole of its file or entry and is of plain values; else it raises."""
    if array.dtype.hasobject:
        raise fault(
            location, "format", "dtype", "its array holds Python's objects, which are not unpickled; save numbers"
        )
    if array.start + array.n_bytes != size:
        sentence = f"its array takes {array.start + array.n_bytes:,} bytes and has {size:,}; fetch the record again"
        raise fault(location, "length", "length", sentence)
    return array


def read_exactly(location: Location, file: io.BufferedIOBase, n_bytes: int) -> bytes:
    """The next bytes of the file, neither fewer nor more than any array may have."""
    content = file.read(n_bytes) if 0 <= n_bytes <= 16 * MOST_SIGNALS * MOST_SAMPLES else b""
    if len(content) != n_bytes:
        raise fault(location, "length", "length", "its file ends inside an array; fetch the record again")
    return content
