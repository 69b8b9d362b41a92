"""WFDB headers: the fields that reading needs, taken from the text itself and checked.

The form is header(5) of the WFDB Applications Guide. Base date and time are not read (CinC writes them in
the wrong order), nor are comments (they hold patient fields).
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform import UNITS_IN_MV, WaveformError, canonical_unit

MOST_SIGNALS = 64
MOST_SAMPLES = 3_600_000  # an hour at 1 kHz
MOST_HEADER_BYTES = 1_000_000
RATES_HZ = (50.0, 10_000.0)

# Why a record was refused; `.problem` of a RecordError is one of these.
RECORD_PROBLEMS = {
    "no_header": "the header file does not exist",
    "no_signal_file": "a signal file that the header names does not exist",
    "header": "the header does not follow the WFDB form",
    "multi_segment": "the header lists other records instead of signals",
    "size": "the header announces more than 64 signals or an hour at 1 kHz",
    "rate": "the sampling rate is absent, 0, outside 50..10,000 Hz or not the collection's",
    "length": "the number of samples is absent, 0 or not what the signal file holds",
    "format": "the storage format is not read, or wfdb cannot decode the file",
    "gain": "the gain is absent, 0 or no number: the signal is uncalibrated",
    "unit": "the unit is not V, mV or uV",
    "lead_names": "a lead name is missing or occurs twice",
    "checksum": "the samples do not add up to the header's checksum",
}

# The digital value that says "no measurement", by storage format (signal(5)); format 8 has none.
INVALID = {
    **{"8": None, "80": -(2**7), "212": -(2**11), "310": -(2**9), "311": -(2**9)},
    **{"16": -(2**15), "61": -(2**15), "160": -(2**15), "24": -(2**23), "32": -(2**31)},
    **{"508": -(2**7), "516": -(2**15), "524": -(2**23)},
}
_FILE_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)  # no folder: a header must not point elsewhere
_RECORD_NAME = re.compile(r"[\w.-]+(/\d+)?", re.ASCII)
_RATE = re.compile(r"(\d+\.?\d*|\.\d+)(/.*)?", re.ASCII)
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d{1,10}))?", re.ASCII)
_GAIN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\((-?\d{1,10})\))?(?:/(\S+))?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,10}", re.ASCII)


class RecordError(CgdmerError):
    """A record that cannot be trusted: which, which header field, and `problem`, a key of RECORD_PROBLEMS."""

    def __init__(self, record: str, field: str, problem: str, sentence: str):
        assert problem in RECORD_PROBLEMS, problem
        super().__init__(f"record {record}: {sentence}")
        self.record, self.field, self.problem = record, field, problem
        self._sentence = sentence

    def __reduce__(self):
        # Errors cross process borders in conversion; the default would call __init__ with one argument.
        return type(self), (self.record, self.field, self.problem, self._sentence)


@dataclass(frozen=True)
class SignalLine:
    """One signal line of a header."""

    file_name: str
    format: str
    byte_offset: int
    gain: float  # digital units a physical unit
    baseline: int  # the digital value of 0
    unit: str  # V, mV or uV
    checksum: int
    name: str


@dataclass(frozen=True)
class Header:
    """The checked header of a single-segment record."""

    rate: float  # hertz
    length: int  # samples a signal
    signals: tuple[SignalLine, ...]


def read_header(path: Path) -> Header:
    """Parses and checks `path`.hea; nothing is allocated for signals yet."""
    file = path.parent / f"{path.name}.hea"
    if not file.is_file():
        raise RecordError(str(path), "header", "no_header", f"{file} does not exist; fetch the record again")
    if file.stat().st_size > MOST_HEADER_BYTES:
        sentence = f"{file} exceeds {MOST_HEADER_BYTES:,} bytes and is no header; restore it"
        raise RecordError(str(path), "header", "size", sentence)
    text = file.read_bytes().decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise RecordError(str(path), "header", "header", f"{file} is empty; fetch the record again")
    n_signals, rate, length = _record_line(path, lines[0].split())
    if len(lines) - 1 != n_signals:
        sentence = f"its header announces {n_signals} signals and describes {len(lines) - 1}; correct the header"
        raise RecordError(str(path), "number of signals", "header", sentence)
    header = Header(rate, length, tuple(_signal_line(path, line) for line in lines[1:]))
    _check_names(path, header)
    return header


def _record_line(path: Path, fields: list[str]) -> tuple[int, float, int]:
    """Number of signals, hertz, samples a signal."""
    name, number, given_rate, given_length = [*fields, "", "", ""][:4]
    if not _RECORD_NAME.fullmatch(name):
        sentence = "its header does not start with a WFDB record line; fetch the record again"
        raise RecordError(str(path), "record name", "header", sentence)
    if "/" in name:
        sentence = f"its header joins several segments ({name}); write it as a single record with wfdb first"
        raise RecordError(str(path), "record name", "multi_segment", sentence)
    n_signals = _whole_number(path, "number of signals", number, "header", at_least=1)
    rate = _RATE.fullmatch(given_rate)
    if rate is None or not RATES_HZ[0] <= float(rate[1]) <= RATES_HZ[1]:
        sentence = f'its rate is "{given_rate}", expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz; correct the header'
        raise RecordError(str(path), "rate", "rate", sentence)
    length = _whole_number(path, "length", given_length, "length", at_least=1)
    if n_signals > MOST_SIGNALS or length > MOST_SAMPLES:
        sentence = (
            f"its header announces {n_signals} signals of {length:,} samples, but at most "
            f"{MOST_SIGNALS} of {MOST_SAMPLES:,} are read; cut the record"
        )
        raise RecordError(str(path), "length", "size", sentence)
    return n_signals, float(rate[1]), length


def _signal_line(path: Path, line: str) -> SignalLine:
    """Fields stand by position; only those that reading needs are interpreted."""
    file_name, storage, calibration, _, adc_zero, _, checksum, _, name = [
        *line.split(maxsplit=8),
        *[""] * 8,
    ][:9]
    if not _FILE_NAME.fullmatch(file_name):
        sentence = f'lead "{name}" is said to be in "{file_name}", which is no file beside the header; correct it'
        raise RecordError(str(path), "file name", "header", sentence)
    form = _FORMAT.fullmatch(storage)
    if form is None or form[1] not in INVALID or form[2] not in (None, "1") or form[3] not in (None, "0"):
        sentence = f'lead "{name}" is of format "{storage}", which is not read; write it in format 16 with wfdb'
        raise RecordError(str(path), "format", "format", sentence)
    gain = _GAIN.fullmatch(calibration)
    if gain is None or not 0 < abs(float(gain[1])) < math.inf:
        sentence = f'lead "{name}" has gain "{calibration}" and so is uncalibrated; correct the header'
        raise RecordError(str(path), "gain", "gain", sentence)
    try:
        unit = canonical_unit(gain[3] or "mV")  # header(5): millivolts when no unit is written
    except WaveformError as fault:
        sentence = f'lead "{name}" is in "{gain[3]}", expected {", ".join(UNITS_IN_MV)}; correct the header'
        raise RecordError(str(path), "unit", "unit", sentence) from fault
    if not name:  # the last field: a name implies a checksum
        sentence = f'a signal of "{file_name}" has no lead name; correct the header'
        raise RecordError(str(path), "lead name", "lead_names", sentence)
    zero = _whole_number(path, "ADC zero", adc_zero or "0", "header")
    return SignalLine(
        file_name=file_name,
        format=form[1],
        byte_offset=int(form[4] or 0),
        gain=float(gain[1]),
        baseline=int(gain[2]) if gain[2] else zero,
        unit=unit,
        checksum=_whole_number(path, "checksum", checksum, "header"),
        name=name,
    )


def _check_names(path: Path, header: Header) -> None:
    folded = [line.name.casefold() for line in header.signals]
    for position, name in enumerate(folded):
        if name in folded[:position]:
            sentence = f'lead "{header.signals[position].name}" is described twice; correct the header'
            raise RecordError(str(path), "lead name", "lead_names", sentence)


def _whole_number(path: Path, field: str, text: str, problem: str, at_least: int | None = None) -> int:
    if not _INTEGER.fullmatch(text) or (at_least is not None and int(text) < at_least):
        sentence = f'its {field} is "{text}", expected a whole number; correct the header'
        raise RecordError(str(path), field, problem, sentence)
    return int(text)
