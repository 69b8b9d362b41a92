"""WFDB records: samples decoded and checked against the header, the twelve leads out in millivolts.

wfdb, the oracle of the tests, accepts wrong checksums, a rate or gain of 0, duplicate lead names and any unit in
silence; here each is a RecordError. Files are checked for their size before anything is allocated, and decoded in
pieces: what stays are the leads in float32.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer

from cgdmer_jax.data.readers.checks import check_bounds
from cgdmer_jax.data.readers.reader import Format
from cgdmer_jax.data.readers.record_files import beside
from cgdmer_jax.data.readers.recording import RECORD_PROBLEMS, RecordError, Recording
from cgdmer_jax.data.readers.wfdb_formats import INVALID
from cgdmer_jax.data.readers.wfdb_header import Header, SignalLine, read_header
from cgdmer_jax.data.readers.wfdb_signal_file import SignalFile, check_length, length_of, pieces
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

HEADER = ".hea"
SIGNALS = {".dat", ".mat"}

__all__ = ["RECORD_PROBLEMS", "RecordError", "Recording", "read_wfdb"]


def read_wfdb(path: str | Path, root: Path | None = None) -> Recording:
    """Reads a WFDB record into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `path`: of the header, with or without ".hea". `root`: folder below which every file must lie once links are
    followed; None = anywhere. Sizes are checked before memory is allocated: at most 64 signals, at most an hour at
    1 kHz.

    Raises RecordError where the header, gain, unit, rate, length or checksum cannot be trusted.
    """
    path = _record_of(Path(path))
    header = read_header(path, root)
    files = [SignalFile(path, beside(path.parent, name), lines, root) for name, lines in header.files.items()]
    given = header.length is not None
    if not given:
        header = replace(header, length=_shortest(path, header, files))
    for file in files:
        check_length(file, header.length, given)
    leads = [line for line in header.signals if line.calibration]
    signal_mv = np.empty((len(leads), header.length), np.float32)
    for file in files:
        into = [number for number, line in enumerate(leads) if line in file.lines]
        columns = [number for number, line in enumerate(file.lines) if line.calibration]
        totals = np.zeros(len(file.lines), np.int64)
        start = 0
        for digital in pieces(file, header.length):
            totals += digital.sum(axis=1, dtype=np.int64)
            stop = start + digital.shape[1]
            signal_mv[into, start:stop] = _millivolts(digital[columns], [file.lines[column] for column in columns])
            start = stop
        _check_checksums(path, file.lines, totals)
    names = tuple(line.name for line in leads)
    return Recording(signal_mv, header.rate, names, str(path), header.extra_leads)


def _record_of(path: Path) -> Path:
    """The record that a path names, which may be that of its header; a record may itself be called "a.hea"."""
    is_header = path.suffix == HEADER and path.is_file() and not path.with_name(path.name + HEADER).is_file()
    return path.with_suffix("") if is_header else path


def _shortest(path: Path, header: Header, files: list[SignalFile]) -> int:
    """Samples a signal, from the sizes of the files; nothing is allocated for them yet."""
    length = min(length_of(file) for file in files)
    if length < 1:
        sentence = "its header gives no length, and its signal file holds no sample; fetch the record again"
        raise RecordError(str(path), "length", "length", sentence)
    check_bounds(str(path), len(header.signals), length)
    return length


def _millivolts(
    digital: Integer[np.ndarray, "lead piece"], lines: list[SignalLine]
) -> Float32[np.ndarray, "lead piece"]:
    """Leads of one file and so of one format."""
    baseline = np.array([[line.calibration.baseline] for line in lines])
    gain = np.array([[line.calibration.gain] for line in lines])
    unit_in_mv = np.array([[UNITS_IN_MV[line.calibration.unit]] for line in lines])
    signal_mv = (digital - baseline) / gain * unit_in_mv
    invalid = INVALID[lines[0].format]
    if invalid is not None:
        signal_mv[digital == invalid] = np.nan
    return signal_mv.astype(np.float32)


def _check_checksums(path: Path, lines: tuple[SignalLine, ...], totals: Integer[np.ndarray, "signal"]) -> None:
    """header(5): the checksum is the 16-bit sum of all samples of a signal.

    Signals that are not used count too: a wrong sum says that their file, which holds leads, is damaged.
    """
    for line, total in zip(lines, totals.tolist(), strict=True):
        if line.checksum is not None and (total - line.checksum) % 65536:
            sentence = (
                f'lead "{line.name}" sums to {total % 65536}, its header promises {line.checksum % 65536}; '
                "fetch the record again"
            )
            raise RecordError(str(path), "checksum", "checksum", sentence)


FORMAT = Format(
    endings=(HEADER,),
    fits=lambda beginning: False,  # a header is text
    read=lambda location, root, hints: read_wfdb(location.path, root),
)
