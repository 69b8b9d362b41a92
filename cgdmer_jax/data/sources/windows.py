"""Recordings longer than a store's window as one record for each window, in place of the first one alone.

To know how many there are, every recording is read once before the conversion begins.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from cgdmer_jax.data.readers.recording import MarkedWaves, RecordError, Recording
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.waveform.windows import starts_of

MARK = "@"  # between a recording's id and the second at which a window begins


class WindowLocation(NamedTuple):
    """Location of a record that is one window of a recording: what the source reads, and samples from where."""

    recording: object
    start: int | None  # sample at the recording's own rate; None: it could not be read when windows were counted


def in_windows(source: Source, seconds: float | int, progress: bool) -> Source:
    """The source with a record for each window of `seconds`; patient, report and labels are those of the recording.

    A recording that cannot be read stays one record, whose conversion says why.
    """
    records, lines, n_long, n_passed_over = [], [], 0, 0
    with progress_bar(len(source.records), "record", "measure", shown=progress) as bar:
        for place, record in enumerate(source.records):
            bar.update()
            line = source.lines[place] if source.lines else None
            try:
                recording = source.read(record)
            except RecordError:
                records.append(replace(record, location=WindowLocation(record.location, None)))
                lines.append(line)
                continue
            length = recording.signal_mv.shape[1]
            starts = starts_of(length, recording.rate, seconds, "all")
            n_long += length > round(seconds * recording.rate)
            n_passed_over += length > starts[-1] + round(seconds * recording.rate)
            for start in starts:
                at = f"{MARK}{start / recording.rate:g}s" if len(starts) > 1 else ""
                placed = WindowLocation(record.location, start)
                records.append(replace(record, record_id=f"{record.record_id}{at}", location=placed))
                lines.append(line)
    remarks = list(source.remarks)
    if n_long:
        remark = f"{n_long:,} recordings are longer than {seconds:g} s and became one record for each window"
        if n_passed_over:
            remark += f"; the last part of {n_passed_over:,} of them is too short for a window and is not used"
        remarks.append(remark)
    read = _Windows(source.read, seconds)
    return replace(source, records=records, read=read, remarks=remarks, lines=lines if source.lines else None)


class _Windows:
    """Reader of windows; holds the last recording, since the windows of one follow each other."""

    def __init__(self, read: Callable[[SourceRecord], Recording], seconds: float | int):
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
