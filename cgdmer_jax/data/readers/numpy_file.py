"""NumPy's files: .npy with the samples alone, .npz with `leads`, `rate` and `unit` beside them. Nothing is unpickled.

Samples are [lead, time] or [time, lead], or with an axis of recordings before these; such a recording is told by its
number. In an .npz they are the array `signal`, or the only one of two axes or more.
"""

import io
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cgdmer_jax.data.readers.arrays import check_array, completed, recording_of
from cgdmer_jax.data.readers.npy_array import (
    AGAIN,
    MAGIC,
    MOST_FACT_BYTES,
    NpyArray,
    checked_whole,
    read_array_header,
    read_exactly,
)
from cgdmer_jax.data.readers.reader import Format, Hints, Location, fault, open_recording
from cgdmer_jax.data.readers.recording import RecordError, Recording

NPY, NPZ = ".npy", ".npz"
SAMPLES = "signal"
MOST_RECORDINGS = 1_000_000  # in a file
MOST_PACKED_BYTES = 1 << 28  # of many recordings in a compressed array, which is unpacked from its start for each
# Of zipfile on damaged bytes: a wrong checksum, no entry, an unknown compression, an encrypted entry.
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError)


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
        signal = np.frombuffer(read_exactly(location, file, n_bytes), array.dtype)
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


def _number(location: Location, array: NpyArray) -> int:
    text, n_recordings = location.member, array.shape[0] if len(array.shape) == 3 else 1
    if len(array.shape) != 3 or not re.fullmatch(r"[0-9]{1,18}", text) or int(text) >= n_recordings:
        raise fault(
            location, "no_signal_file", "member", f"its file holds {n_recordings:,} recordings; name one of them"
        )
    return int(text)


@contextmanager
def _opened(location: Location, root: Path | None) -> Iterator[tuple[io.BufferedIOBase, NpyArray, Hints]]:
    """The file at the first sample, the header of the samples, and what the file says of them."""
    with open_recording(location, root) as file:
        if file.read(len(MAGIC)) == MAGIC:
            file.seek(0)
            array = checked_whole(location, read_array_header(location, file), os.fstat(file.fileno()).st_size)
            yield file, array, Hints()
            return
        try:
            with zipfile.ZipFile(file) as entries:
                sizes = {name.removesuffix(NPY): entries.getinfo(name).file_size for name in entries.namelist()}
                said = _facts(location, entries, sizes)
                name = _samples_among(location, entries, sizes)
                entry = entries.getinfo(f"{name}{NPY}")
                with entries.open(entry) as samples:
                    array = checked_whole(location, read_array_header(location, samples), sizes[name])
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


def _check_packed(location: Location, array: NpyArray) -> None:
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
            if len(read_array_header(location, entry).shape) >= 2:
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
            array = checked_whole(location, read_array_header(location, entry), sizes[name])
            content = np.frombuffer(read_exactly(location, entry, array.n_bytes), array.dtype).reshape(array.shape)
        value = convert(content)
    except RecordError:
        raise
    except (TypeError, ValueError):
        value = None
    if value is None:
        sentence = f'its array "{name}" is none (rate: a number; leads: texts; unit: a text); correct it'
        raise fault(location, "header", name, sentence)
    return value


FORMAT = Format(
    endings=(NPY, NPZ),
    fits=lambda beginning: beginning.startswith(MAGIC),
    read=lambda location, root, hints: read_numpy(location.path, root, hints, location.member),
    members=members,
)
