"""Signal files of a WFDB record: their size compared with the header, their samples piece by piece."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Integer

from cgdmer_jax import git_lfs
from cgdmer_jax.data.readers import wfdb_formats
from cgdmer_jax.data.readers.record_files import open_record_file, refuse_pointer
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.readers.wfdb_header import SignalLine

VALUES_AT_ONCE = 1 << 20
_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}  # of a FLAC file


class SignalFile(NamedTuple):
    """A signal file and the lines of its signals, in the order in which their samples alternate."""

    record: Path
    file: Path
    lines: tuple[SignalLine, ...]
    root: Path | None

    @property
    def storage(self) -> str:
        return self.lines[0].format

    def error(self, problem: str, sentence: str, field: str = "length") -> RecordError:
        return RecordError(str(self.record), field, problem, f"{self.file} {sentence}")


def length_of(signals: SignalFile) -> int:
    """Samples a signal in the file, for a header that does not say (header(5): the field is optional)."""
    size, frames = _measure(signals)
    if frames is not None:
        return frames - signals.lines[0].byte_offset
    n_values = wfdb_formats.n_values(signals.storage, max(0, size - signals.lines[0].byte_offset))
    return n_values // len(signals.lines)


def check_length(signals: SignalFile, length: int, given: bool) -> None:
    """Compares what the file holds with a length; `given` = by the header, else by the shortest file of the record."""
    size, frames = _measure(signals)
    offset, storage = signals.lines[0].byte_offset, signals.storage
    exact = storage == "16" or not given
    if frames is not None:
        found, expected, padding, what = max(0, frames - offset), length, 0, "samples"
    else:
        found, expected, what = size, offset + wfdb_formats.n_bytes(storage, len(signals.lines) * length), "bytes"
        padding = wfdb_formats.LARGEST_PADDING if storage in wfdb_formats.PACKED else 0
    if found < expected or (exact and found > expected + padding):
        promised = f"its header promises {expected:,}"
        if not given:
            promised = (
                f"its header gives no length, and {length:,} samples of {len(signals.lines)} signals take {expected:,}"
            )
        raise signals.error("length", f"has {found:,} {what}, {promised}; fetch the record again")


def pieces(signals: SignalFile, length: int) -> Iterator[Integer[np.ndarray, "signal piece"]]:
    """Digital samples of all signals of the file."""
    n_signals, storage = len(signals.lines), signals.storage
    # Multiples of 6: samples of the packed formats come in twos and threes.
    step = max(1, VALUES_AT_ONCE // n_signals)
    step = min(length, step + -step % 6)
    counts = [min(step, length - start) for start in range(0, length, step)]
    if storage in wfdb_formats.FLAC_BITS:
        yield from _flac_pieces(signals, counts)
        return
    last = np.array([[line.initial] for line in signals.lines])  # of format 8, which holds differences
    with open_record_file(signals.record, signals.file, "no_signal_file", signals.root) as opened:
        opened.seek(signals.lines[0].byte_offset)
        for count in counts:
            n_bytes = wfdb_formats.n_bytes(storage, count * n_signals)
            content = opened.read(n_bytes)
            if len(content) != n_bytes:
                raise signals.error("length", "became shorter while it was read; fetch the record again")
            values = wfdb_formats.decode(storage, content, count * n_signals)
            digital = np.ascontiguousarray(values.reshape(count, n_signals).T)
            if storage == "8":
                digital = last + np.cumsum(digital, axis=1, dtype=np.int64)
                last = digital[:, -1:]
            yield digital


def _measure(signals: SignalFile) -> tuple[int, int | None]:
    """Bytes of the file, and of a compressed one the number of its frames."""
    with open_record_file(signals.record, signals.file, "no_signal_file", signals.root) as opened:
        refuse_pointer(signals.record, signals.file, "no_signal_file", opened.read(git_lfs.MOST_BYTES))
        opened.seek(0)
        if signals.storage not in wfdb_formats.FLAC_BITS:
            return os.fstat(opened.fileno()).st_size, None
        with _flac(signals, opened) as sound:
            return 0, sound.frames


@contextmanager
def _flac(signals: SignalFile, opened: BinaryIO) -> Iterator:
    """The opened file as FLAC of the form that its header names."""
    try:
        import soundfile  # a tenth of a second to import, and few records are compressed
    except (ImportError, OSError) as fault:  # OSError: its C library is not there
        sentence = f"cannot be read ({fault}); install soundfile, which decodes format {signals.storage}"
        raise signals.error("unreadable", sentence, "format") from fault
    try:
        with soundfile.SoundFile(opened) as sound:
            bits, most = _BITS.get(sound.subtype, 32), wfdb_formats.FLAC_BITS[signals.storage]
            if sound.format != "FLAC" or bits > most:
                sentence = f"is {sound.format} of {sound.subtype}, its header promises FLAC of {most} bits at most"
                raise signals.error("format", f"{sentence}; correct the header", "format")
            if sound.channels != len(signals.lines):
                sentence = f"holds {sound.channels} signals, its header describes {len(signals.lines)}"
                raise signals.error("format", f"{sentence}; correct the header", "format")
            yield sound
    except soundfile.SoundFileError as fault:
        sentence = f"is no FLAC file, or a damaged one ({fault}); fetch the record again"
        raise signals.error("format", sentence, "format") from fault


def _flac_pieces(signals: SignalFile, counts: list[int]) -> Iterator[Integer[np.ndarray, "signal piece"]]:
    with (
        open_record_file(signals.record, signals.file, "no_signal_file", signals.root) as opened,
        _flac(signals, opened) as sound,
    ):
        bits = _BITS[sound.subtype]
        sound.seek(signals.lines[0].byte_offset)  # samples, in a compressed file
        for count in counts:
            digital = sound.read(count, dtype="int32", always_2d=True) >> (32 - bits)
            if len(digital) != count:
                raise signals.error("length", "ends before its own length; fetch the record again")
            yield np.ascontiguousarray(digital.T)
