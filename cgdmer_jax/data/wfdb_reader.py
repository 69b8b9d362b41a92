"""WFDB records: samples decoded and checked against the header, millivolts out.

wfdb, the oracle of the tests, accepts wrong checksums, a rate or gain of 0, missing and duplicate lead
names and any unit in silence; here each is a RecordError. Files of format 16 are decoded by NumPy (wfdb
reads 280 records/s, this 2,700); every other layout is decoded by wfdb.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer

from cgdmer_jax.data.wfdb_header import INVALID, RECORD_PROBLEMS, Header, RecordError, read_header
from cgdmer_jax.waveform import UNITS_IN_MV

__all__ = ["RECORD_PROBLEMS", "RecordError", "Recording", "read_wfdb"]


@dataclass(frozen=True)
class Recording:
    """One record in millivolts, leads by name; NaN where the converter gave no measurement."""

    signal_mv: Float32[np.ndarray, "lead time"]
    rate: float  # hertz
    names: tuple[str, ...]  # as the header spells them
    path: str


def read_wfdb(path: str | Path) -> Recording:
    """Reads `path`.hea and its signals; a RecordError where header and samples cannot be trusted."""
    path = Path(path)
    header = read_header(path)
    digital = _decode(path, header)
    _check_checksums(path, header, digital)
    baseline = np.array([[line.baseline] for line in header.signals])
    gain = np.array([[line.gain] for line in header.signals])
    unit_in_mv = np.array([[UNITS_IN_MV[line.unit]] for line in header.signals])
    signal_mv = (digital - baseline) / gain * unit_in_mv
    for line, samples, lead_mv in zip(header.signals, digital, signal_mv, strict=True):
        if INVALID[line.format] is not None:
            lead_mv[samples == INVALID[line.format]] = np.nan
    names = tuple(line.name for line in header.signals)
    return Recording(signal_mv.astype(np.float32), header.rate, names, str(path))


def _decode(path: Path, header: Header) -> Integer[np.ndarray, "lead time"]:
    """Digital samples: all signals interleaved in one format-16 file here, everything else by wfdb."""
    for line in header.signals:
        file = path.parent / line.file_name
        if not file.is_file():
            sentence = f"{file} does not exist; fetch the record again"
            raise RecordError(str(path), "file name", "no_signal_file", sentence)
    first = header.signals[0]
    layouts = {(line.file_name, line.format, line.byte_offset) for line in header.signals}
    if layouts != {(first.file_name, "16", first.byte_offset)}:
        return _decode_with_wfdb(path, header)
    file = path.parent / first.file_name
    found, expected = file.stat().st_size, first.byte_offset + 2 * len(header.signals) * header.length
    if found != expected:
        sentence = f"{file} has {found:,} bytes, its header promises {expected:,}; fetch the record again"
        raise RecordError(str(path), "length", "length", sentence)
    samples = np.fromfile(file, dtype="<i2", offset=first.byte_offset)
    return np.ascontiguousarray(samples.reshape(header.length, len(header.signals)).T)


def _decode_with_wfdb(path: Path, header: Header) -> Integer[np.ndarray, "lead time"]:
    """Digital samples of every other layout (several files, packed or compressed formats)."""
    import wfdb  # half a second to import, and PTB-XL never needs it

    try:
        record = wfdb.rdrecord(str(path), physical=False)
    except (ValueError, LookupError, TypeError, OSError, ImportError, RuntimeError) as fault:
        sentence = f"wfdb cannot decode it ({fault}); fetch the record again"
        raise RecordError(str(path), "format", "format", sentence) from fault
    found, expected = record.d_signal.shape, (header.length, len(header.signals))
    if found != expected:
        sentence = f"its files hold {found[0]:,} samples, its header promises {expected[0]:,}; fetch it again"
        raise RecordError(str(path), "length", "length", sentence)
    return np.ascontiguousarray(record.d_signal.T)


def _check_checksums(path: Path, header: Header, digital: Integer[np.ndarray, "lead time"]) -> None:
    """header(5): the checksum is the 16-bit sum of all samples of a signal."""
    for line, total in zip(header.signals, digital.sum(axis=1, dtype=np.int64).tolist(), strict=True):
        if (total - line.checksum) % 65536:
            sentence = (
                f'lead "{line.name}" sums to {total % 65536}, its header promises {line.checksum % 65536}; '
                "fetch the record again"
            )
            raise RecordError(str(path), "checksum", "checksum", sentence)
