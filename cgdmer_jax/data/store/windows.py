"""Recordings longer than a store's window as one record for each window, in place of the first one alone.

To know how many there are, every recording is read once before the conversion begins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.data.readers.recording import MarkedWaves, RecordError, Recording
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.store.remarks import some_of
from cgdmer_jax.data.store.unread import Read
from cgdmer_jax.data.store.workers import results
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.waveform.windows import starts_of

MARK = "@"  # between a recording's id and the second at which a window begins
_AT_ONCE = 64  # recordings that a process measures before it tells


class WindowLocation(NamedTuple):
    """Location of a record that is one window of a recording: what the source reads, and samples from where."""

    recording: object
    start: int | None  # sample at the recording's own rate; None: it could not be read when windows were counted


class Length(NamedTuple):
    """Length of a recording: samples and their rate in Hz."""

    samples: int
    rate: float


def in_windows(source: Source, seconds: float | int, processes: int, out: Path, progress: bool) -> Source:
    """The source with a record for each window of `seconds`; patient, report and labels are those of the recording.

    A recording that cannot be read stays one record, whose conversion says why. `processes`: that measure at the same
    time. `out`: the store that is made.
    """
    records, lines, longer, not_whole = [], [], [], []
    for place, length in enumerate(_lengths(source, processes, out, progress)):
        record = source.records[place]
        starts = [None] if length is None else starts_of(*length, seconds, "all")
        for start in starts:
            at = f"{MARK}{start / length.rate:g}s" if len(starts) > 1 else ""
            placed = WindowLocation(record.location, start)
            records.append(replace(record, record_id=f"{record.record_id}{at}", location=placed))
            lines.append(source.lines[place] if source.lines else None)
        if length is not None:
            size = round(seconds * length.rate)
            longer += [record.record_id] * (length.samples > size)
            not_whole += [record.record_id] * (length.samples > starts[-1] + size)
    remarks = list(source.remarks)
    if longer:
        told = f"{len(longer):,} recordings are longer than {seconds:g} s {some_of(longer)} and became one record for "
        told += "each window"
        if not_whole:
            told += f"; the last part of {len(not_whole):,} of them {some_of(not_whole)} is too short for a window and "
            told += "is not used"
        remarks.append(told)
    read = _Windows(source.read, seconds)
    return replace(source, records=records, read=read, remarks=remarks, lines=lines if source.lines else None)


def unmeasured(records: Iterable[SourceRecord]) -> list[str]:
    """Ids of the recordings among the records of `in_windows` that could not be read when windows were counted."""
    return [one.record_id for one in records if isinstance(one.location, WindowLocation) and one.location.start is None]


def _lengths(source: Source, processes: int, out: Path, progress: bool) -> list[Length | None]:
    """Length of every recording, None where it cannot be read."""
    n = len(source.records)
    tasks = [(first, source.records[first : first + _AT_ONCE]) for first in range(0, n, _AT_ONCE)]
    lengths: list[Length | None] = [None] * n
    with progress_bar(n, "record", "measure", shown=progress) as bar:
        for first, measured in results(_measure, source.read, tasks, processes, out):
            lengths[first : first + len(measured)] = measured
            bar.update(len(measured))
    return lengths


def _measure(read: Read, first: int, records: Sequence[SourceRecord]) -> tuple[int, list[Length | None]]:
    """Lengths of some records, with the place of the first of them."""
    measured: list[Length | None] = []
    for record in records:
        try:
            recording = read(record)
        except RecordError:  # conversion meets it again, and counts and names its fault
            measured.append(None)
        else:
            measured.append(Length(recording.signal_mv.shape[1], recording.rate))
    return first, measured


class _Windows:
    """Reader of windows; holds the last recording, since the windows of one follow each other."""

    def __init__(self, read: Read, seconds: float | int):
        self._read, self._seconds = read, seconds
        self._held: tuple[object, Recording] | None = None

    def __call__(self, record: SourceRecord) -> Recording:
        location = record.location.recording
        if self._held is None or self._held[0] != location:
            self._held = None  # the one before is not kept while the next is read
            self._held = (location, self._read(replace(record, location=location)))
        whole = self._held[1]
        start, size = record.location.start, round(self._seconds * whole.rate)
        if start is None and whole.signal_mv.shape[1] > size:
            sentence = "it could not be read when its windows were counted; delete the store and convert again"
            raise RecordError(whole.path, "windows", "unreadable", sentence)
        start = start or 0
        return replace(whole, signal_mv=whole.signal_mv[:, start : start + size], waves=_from(start, whole.waves))


def _from(start: int, waves: MarkedWaves | None) -> MarkedWaves | None:
    """The waves in samples of a window; what was left out of them is told of the first one alone."""
    if waves is None or start == 0:
        return waves
    return MarkedWaves(tuple(wave.moved(lambda sample: sample - start) for wave in waves.waves))
