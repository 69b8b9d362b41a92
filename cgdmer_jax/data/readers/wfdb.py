"""WFDB records: samples decoded and checked against the header, the twelve leads out in millivolts.

wfdb, the oracle of the tests, accepts wrong checksums, a rate or gain of 0, missing and duplicate lead
names and any unit in silence; here each is a RecordError. Files of format 16 are decoded by NumPy (wfdb
reads 280 records/s, this 2,700); every other format is decoded by wfdb. Files are checked for their size
before anything is allocated, and decoded in pieces: what stays are the leads in float32.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer

from cgdmer_jax.data.readers.record_files import file_fault, open_record_file
from cgdmer_jax.data.readers.recording import RECORD_PROBLEMS, RecordError, Recording
from cgdmer_jax.data.readers.wfdb_header import BYTES_PER_SAMPLE, INVALID, Header, SignalLine, read_header
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

__all__ = ["RECORD_PROBLEMS", "RecordError", "Recording", "read_wfdb"]

VALUES_AT_ONCE = 1 << 20
MOST_DIFFERENCES = 1 << 24  # values of format 8, which holds differences and so cannot be decoded in pieces


def read_wfdb(path: str | Path, root: Path | None = None) -> Recording:
    """Reads a WFDB record into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `path`: of the header, without ".hea". `root`: folder below which every file must lie once links are followed;
    None = anywhere. Sizes are checked before memory is allocated: at most 64 signals, at most an hour at 1 kHz.

    Raises RecordError where the header, gain, unit, rate, length or checksum cannot be trusted.
    """
    path = Path(path)
    header = read_header(path, root)
    for file_name, lines in header.files.items():
        _check_size(path, header, path.parent / file_name, lines, root)
    leads = [line for line in header.signals if line.calibration]
    signal_mv = np.empty((len(leads), header.length), np.float32)
    for file_name, lines in header.files.items():
        into = [number for number, line in enumerate(leads) if line.file_name == file_name]
        columns = [number for number, line in enumerate(lines) if line.calibration]
        totals = np.zeros(len(lines), np.int64)
        start = 0
        for digital in _pieces(path, header, path.parent / file_name, lines, root):
            totals += digital.sum(axis=1, dtype=np.int64)
            stop = start + digital.shape[1]
            signal_mv[into, start:stop] = _millivolts(digital[columns], [lines[column] for column in columns])
            start = stop
        _check_checksums(path, lines, totals)
    names = tuple(line.name for line in leads)
    return Recording(signal_mv, header.rate, names, str(path), header.extra_leads)


def _check_size(path: Path, header: Header, file: Path, lines: tuple[SignalLine, ...], root: Path | None) -> None:
    """Compares the size of a file with the header; a compressed one has no size of its own."""
    with open_record_file(path, file, "no_signal_file", root) as opened:
        found = os.fstat(opened.fileno()).st_size
    n_values, storage = len(lines) * header.length, lines[0].format
    if storage == "8" and n_values > MOST_DIFFERENCES:
        sentence = f"{file} holds {n_values:,} values of format 8, read are {MOST_DIFFERENCES:,}; use format 16"
        raise RecordError(str(path), "length", "size", sentence)
    if storage not in BYTES_PER_SAMPLE:
        return
    expected = lines[0].byte_offset + int(n_values * BYTES_PER_SAMPLE[storage])
    if found < expected or (storage == "16" and found > expected):  # packed formats may end in padding
        sentence = f"{file} has {found:,} bytes, its header promises {expected:,}; fetch the record again"
        raise RecordError(str(path), "length", "length", sentence)


def _pieces(
    path: Path, header: Header, file: Path, lines: tuple[SignalLine, ...], root: Path | None
) -> Iterator[Integer[np.ndarray, "signal piece"]]:
    """Digital samples of all signals of a file, piece by piece."""
    storage = lines[0].format
    length = header.length if storage == "8" else max(1, VALUES_AT_ONCE // len(lines))
    # Multiples of 6: samples of the packed formats come in twos and threes.
    length = min(header.length, length + -length % 6)
    spans = [(start, min(start + length, header.length)) for start in range(0, header.length, length)]
    if storage != "16":
        for start, stop in spans:
            yield _decode_with_wfdb(path, file, lines, start, stop)
        return
    with open_record_file(path, file, "no_signal_file", root) as opened:
        opened.seek(lines[0].byte_offset)
        for start, stop in spans:
            samples = np.empty((stop - start, len(lines)), "<i2")
            if opened.readinto(samples) != samples.nbytes:
                sentence = f"{file} became shorter while it was read; fetch the record again"
                raise RecordError(str(path), "length", "length", sentence)
            yield np.ascontiguousarray(samples.T)


def _decode_with_wfdb(
    path: Path, file: Path, lines: tuple[SignalLine, ...], start: int, stop: int
) -> Integer[np.ndarray, "signal piece"]:
    """Digital samples of a packed or compressed format, from sample `start` to before `stop`."""
    import wfdb  # half a second to import, and PTB-XL never needs it

    places = [line.place for line in lines]
    try:
        record = wfdb.rdrecord(str(path), physical=False, channels=places, sampfrom=start, sampto=stop)
    except OSError as fault:
        raise file_fault(path, file, "no_signal_file", fault) from fault
    except ImportError as fault:  # the library for compressed files is not installed: no fault of the file
        sentence = f"{file} cannot be read ({fault}); install what wfdb needs for format {lines[0].format}"
        raise RecordError(str(path), "format", "unreadable", sentence) from fault
    except (ValueError, LookupError, TypeError, RuntimeError) as fault:
        sentence = f"wfdb cannot decode it ({fault}); fetch the record again"
        raise RecordError(str(path), "format", "format", sentence) from fault
    found, expected = record.d_signal.shape, (stop - start, len(lines))
    if found != expected:
        sentence = f"its files hold {found[0]:,} samples, its header promises {expected[0]:,}; fetch it again"
        raise RecordError(str(path), "length", "length", sentence)
    return np.ascontiguousarray(record.d_signal.T)


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
