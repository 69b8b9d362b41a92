"""NumPy's files: .npy with the samples alone, .npz with `leads`, `rate` and `unit` beside them. Nothing is unpickled.

Samples are [lead, time] or [time, lead], or with an axis of recordings before these; such a recording is told by its
number. In an .npz they are the array `signal`, or the only one of two axes or more.
"""

import io
import math
import os
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from cgdmer_jax.data.readers.arrays import check_array, completed, recording_of
from cgdmer_jax.data.readers.checks import MOST_SAMPLES, MOST_SIGNALS
from cgdmer_jax.data.readers.reader import Format, Hints, Location, fault, open_recording
from cgdmer_jax.data.readers.recording import RecordError, Recording

NPY, NPZ = ".npy", ".npz"
MAGIC = b"\x93NUMPY"
SAMPLES = "signal"
MOST_RECORDINGS = 1_000_000  # in a file
MOST_PACKED_BYTES = 1 << 28  # of many recordings in a compressed array, which is unpacked from its start for each
MOST_FACT_BYTES = 1 << 16  # of leads, rate or unit
AGAIN = "save it again with numpy"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# Of zipfile on damaged bytes: a wrong checksum, no entry, an unknown compression, an encrypted entry.
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError)


class _Array(NamedTuple):
    """An array whose header alone is read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    in_columns: bool
    start: int  # bytes of the header

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_numpy(path: str | Path, root: Path | None, hints: Hints, member: str | None = None) -> Recording:
    """Reads an .npy or .npz file into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `root`: folder below which the file must lie once links are followed; None = anywhere. `hints`: what the file does
    not say. `member`: number of the recording, where the file holds many. Sizes are checked before memory is allocated.

    Raises RecordError where the file is damaged, would have to be unpickled, or leaves something unsaid that no hint
    says.
    """
    location = Location(Path(path), member)
    with _opened(location, root) as (file, array, said):
        facts = completed(said, hints)
        shape = array.shape if member is None else array.shape[1:]
        if member is None and len(shape) == 3:
            if not shape[0]:
                raise fault(location, "length", "shape", "it holds no recording; leave it out")
            sentence = f"its file holds {array.shape[0]:,} recordings; name one as {location.path.name}#0"
            raise fault(location, "length", "shape", sentence)
        number = None if member is None else _number(location, array)
        check_array(location, shape, array.dtype, facts)
        n_bytes = math.prod(shape) * array.dtype.itemsize
        if number is not None:
            if array.in_columns:  # the samples of one recording are strewn over the whole file
                raise fault(
                    location, "format", "order", f"its file is in Fortran's order of axes; {AGAIN}, in C's order"
                )
            file.seek(number * n_bytes, os.SEEK_CUR)
        signal = np.frombuffer(_exactly(location, file, n_bytes), array.dtype)
        return recording_of(location, signal.reshape(shape, order="F" if array.in_columns else "C"), facts)


def members(path: Path, root: Path | None) -> list[Location]:
    """One location, or one for each number along the first of three axes."""
    with _opened(Location(path), root) as (_, array, _):
        if len(array.shape) != 3 or not array.shape[0]:
            return [Location(path)]
        if array.shape[0] > MOST_RECORDINGS:
            sentence = (
                f"its file holds {array.shape[0]:,} recordings, but at most {MOST_RECORDINGS:,} are read; split it"
            )
            raise fault(Location(path), "size", "shape", sentence)
        return [Location(path, str(number)) for number in range(array.shape[0])]


def _number(location: Location, array: _Array) -> int:
    text, n_recordings = location.member, array.shape[0] if len(array.shape) == 3 else 1
    if len(array.shape) != 3 or not re.fullmatch(r"[0-9]{1,18}", text) or int(text) >= n_recordings:
        raise fault(
            location, "no_signal_file", "member", f"its file holds {n_recordings:,} recordings; name one of them"
        )
    return int(text)


@contextmanager
def _opened(location: Location, root: Path | None) -> Iterator[tuple[io.BufferedIOBase, _Array, Hints]]:
    """The file at the first sample, the header of the samples, and what the file says of them."""
    with open_recording(location, root) as file:
        if file.read(len(MAGIC)) == MAGIC:
            file.seek(0)
            array = _checked(location, _header(location, file), os.fstat(file.fileno()).st_size)
            yield file, array, Hints()
            return
        try:
            with zipfile.ZipFile(file) as entries:
                sizes = {name.removesuffix(NPY): entries.getinfo(name).file_size for name in entries.namelist()}
                said = _facts(location, entries, sizes)
                name = _samples_among(location, entries, sizes)
                entry = entries.getinfo(f"{name}{NPY}")
                with entries.open(entry) as samples:
                    array = _checked(location, _header(location, samples), sizes[name])
                    if len(array.shape) != 3 or entry.compress_type != zipfile.ZIP_STORED:
                        _check_packed(location, array)
                        yield samples, array, said
                        return
                file.seek(_start_of(file, entry) + array.start)  # zipfile would read all that comes before
                yield file, array, said
        except RecordError:
            raise
        except _DAMAGED as error:
            raise fault(location, "format", "file", f"its file is no .npz, or a damaged one; {AGAIN}") from error


def _check_packed(location: Location, array: _Array) -> None:
    """Raises where the time to read all recordings of a compressed array would grow as the square of their number."""
    if len(array.shape) == 3 and array.n_bytes > MOST_PACKED_BYTES:
        sentence = (
            f"its file packs {array.n_bytes:,} bytes of {array.shape[0]:,} recordings, but at most "
            f"{MOST_PACKED_BYTES:,} are read; save it with numpy.savez, which does not pack"
        )
        raise fault(location, "size", "signal", sentence)


def _start_of(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """First byte of an entry that is not compressed: its own header has a length that the list of entries lacks."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) != 30:
        raise zipfile.BadZipFile("cut")
    return entry.header_offset + 30 + sum(struct.unpack_from("<HH", header, 26))


def _samples_among(location: Location, entries: zipfile.ZipFile, sizes: dict[str, int]) -> str:
    """Name of the array of samples."""
    if SAMPLES in sizes:
        return SAMPLES
    found = []
    for name in sizes:
        with entries.open(f"{name}{NPY}") as entry:
            if len(_header(location, entry).shape) >= 2:
                found.append(name)
    if len(found) != 1:
        sentence = f'its file has {len(found)} arrays of two axes or more; call the one with the samples "{SAMPLES}"'
        raise fault(location, "format", "signal", sentence)
    return found[0]


def _facts(location: Location, entries: zipfile.ZipFile, sizes: dict[str, int]) -> Hints:
    """Facts that the file states: `rate`, a number; `leads`, texts; `unit`, a text."""
    rate = _fact(location, entries, sizes, "rate", lambda array: float(array) if array.dtype.kind in "iuf" else None)
    leads = _fact(location, entries, sizes, "leads", lambda array: tuple(map(_text, array.tolist())))
    unit = _fact(location, entries, sizes, "unit", lambda array: _text(array.item()))
    return Hints(rate, leads, unit)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _fact(
    location: Location,
    entries: zipfile.ZipFile,
    sizes: dict[str, int],
    name: str,
    convert: Callable[[np.ndarray], object],
) -> object:
    if name not in sizes:
        return None
    try:
        if sizes[name] > MOST_FACT_BYTES:
            raise ValueError("too large")
        with entries.open(f"{name}{NPY}") as entry:
            array = _checked(location, _header(location, entry), sizes[name])
            content = np.frombuffer(_exactly(location, entry, array.n_bytes), array.dtype).reshape(array.shape)
        value = convert(content)
    except RecordError:
        raise
    except (TypeError, ValueError):
        value = None
    if value is None:
        sentence = f'its array "{name}" is none (rate: a number; leads: texts; unit: a text); correct it'
        raise fault(location, "header", name, sentence)
    return value


def _header(location: Location, file: io.BufferedIOBase) -> _Array:
    """Shape and type of an array, and where it begins; the file stands there afterwards."""
    beginning = _exactly(location, file, 12)
    try:
        version = np.lib.format.read_magic(io.BytesIO(beginning[:8]))
        read = _HEADERS[version]
        width = 2 if version == (1, 0) else 4
        length = int.from_bytes(beginning[8 : 8 + width], "little")
        if length > MOST_FACT_BYTES:
            raise ValueError("a long header")
        text = beginning[8:] + _exactly(location, file, length - (4 - width))
        shape, in_columns, dtype = read(io.BytesIO(text))
    except RecordError:
        raise
    # NumPy parses the header as a literal of Python; KeyError: a version of its own.
    except (ValueError, KeyError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError) as error:
        raise fault(location, "header", "header", f"its array has no readable header; {AGAIN}") from error
    if not all(type(size) is int and size >= 0 for size in shape):
        raise fault(location, "header", "shape", f"its array has no readable shape; {AGAIN}")
    return _Array(shape, dtype, in_columns, 8 + width + length)


def _checked(location: Location, array: _Array, size: int) -> _Array:
    """An array that takes the whole of its file or entry, of plain values."""
    if array.dtype.hasobject:
        raise fault(
            location, "format", "dtype", "its array holds Python's objects, which are not unpickled; save numbers"
        )
    if array.start + array.n_bytes != size:
        sentence = f"its array takes {array.start + array.n_bytes:,} bytes and has {size:,}; fetch the record again"
        raise fault(location, "length", "length", sentence)
    return array


def _exactly(location: Location, file: io.BufferedIOBase, n_bytes: int) -> bytes:
    content = file.read(n_bytes) if 0 <= n_bytes <= 16 * MOST_SIGNALS * MOST_SAMPLES else b""
    if len(content) != n_bytes:
        raise fault(location, "length", "length", "its file ends inside an array; fetch the record again")
    return content


FORMAT = Format(
    endings=(NPY, NPZ),
    fits=lambda beginning: beginning.startswith(MAGIC),
    read=lambda location, root, hints: read_numpy(location.path, root, hints, location.member),
    members=members,
)
