"""WFDB headers: the fields that reading needs, taken from the text itself and checked.

Only signals that are one of the twelve leads are read, so only their names, gains and units are judged; of a signal
beside them in one file the storage format and the checksum count, since they tell whether that file is whole.

The form is header(5) of the WFDB Applications Guide. Base date and time are not read (CinC writes them in
the wrong order), nor are comments (they hold patient fields).
"""

import math
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cgdmer_jax.data.readers.record_files import open_record_file
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.waveform.conditioning import LEADS, UNITS_IN_MV, WaveformError, canonical_lead, canonical_unit

MOST_SIGNALS = 64
MOST_SAMPLES = 3_600_000  # an hour at 1 kHz
MOST_HEADER_BYTES = 1_000_000
LONGEST_NAME = 80  # of a signal, letters; the rest is cut off
RATES_HZ = (50.0, 10_000.0)

# The digital value that says "no measurement", by storage format (signal(5)); format 8 has none.
INVALID = {
    **{"8": None, "80": -(2**7), "212": -(2**11), "310": -(2**9), "311": -(2**9)},
    **{"16": -(2**15), "61": -(2**15), "160": -(2**15), "24": -(2**23), "32": -(2**31)},
    **{"508": -(2**7), "516": -(2**15), "524": -(2**23)},
}
# Of every format whose files have a size of their own: not the compressed ones.
BYTES_PER_SAMPLE = {
    **dict.fromkeys(("8", "80"), Fraction(1)),
    **dict.fromkeys(("16", "61", "160"), Fraction(2)),
    **{"212": Fraction(3, 2), "310": Fraction(4, 3), "311": Fraction(4, 3), "24": Fraction(3), "32": Fraction(4)},
}
_FILE_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)  # no folder: a header must not point elsewhere
_RECORD_NAME = re.compile(r"[\w.-]+(/\d+)?", re.ASCII)
_RATE = re.compile(r"(\d+\.?\d*|\.\d+)(/.*)?", re.ASCII)
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d{1,10}))?", re.ASCII)
_GAIN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\((-?\d{1,10})\))?(?:/(\S+))?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,10}", re.ASCII)


@dataclass(frozen=True)
class GainCalibration:
    """Conversion of a lead's digital values to millivolts."""

    gain: float  # digital units a physical unit
    baseline: int  # the digital value of 0
    unit: str  # V, mV or uV


@dataclass(frozen=True)
class SignalLine:
    """One signal line of a header, of a file that holds a lead."""

    place: int  # among all signals of the header
    name: str  # as the header spells it, or "signal 3" where it gives none
    file_name: str
    format: str
    byte_offset: int
    checksum: int | None  # None: not given, which a signal without name may do
    calibration: GainCalibration | None  # None: none of the twelve leads, so not used and not judged


@dataclass(frozen=True)
class Header:
    """The checked header of a single-segment record."""

    rate: float  # hertz
    length: int  # samples a signal
    signals: tuple[SignalLine, ...]  # of the files that hold a lead; the other files are not opened
    extra_leads: tuple[str, ...]  # names of all signals outside the twelve leads

    @property
    def files(self) -> dict[str, tuple[SignalLine, ...]]:
        """The signals by file, in the order in which their samples alternate."""
        names = dict.fromkeys(line.file_name for line in self.signals)
        return {name: tuple(line for line in self.signals if line.file_name == name) for name in names}


def read_header(path: Path, root: Path | None = None) -> Header:
    """Parses and checks `path`.hea, below `root` if given; nothing is allocated for signals yet."""
    file = path.parent / f"{path.name}.hea"
    with open_record_file(path, file, "no_header", root) as opened:
        if os.fstat(opened.fileno()).st_size > MOST_HEADER_BYTES:
            sentence = f"{file} exceeds {MOST_HEADER_BYTES:,} bytes and is no header; restore it"
            raise RecordError(str(path), "header", "size", sentence)
        content = opened.read()
    lines = [line.strip() for line in content.decode("utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise RecordError(str(path), "header", "header", f"{file} is empty; fetch the record again")
    n_signals, rate, length = _record_line(path, lines[0].split())
    if len(lines) - 1 != n_signals:
        sentence = f"its header announces {n_signals} signals and describes {len(lines) - 1}; correct the header"
        raise RecordError(str(path), "number of signals", "header", sentence)
    fields = [[*line.split(maxsplit=8), *[""] * 8][:9] for line in lines[1:]]
    files_with_leads = {line[0] for line in fields if canonical_lead(line[8])}
    signals = [_signal_line(path, k, line) for k, line in enumerate(fields) if line[0] in files_with_leads]
    extra_leads = [_name(k, line) for k, line in enumerate(fields) if canonical_lead(line[8]) is None]
    header = Header(rate, length, tuple(signals), tuple(extra_leads))
    _check_leads(path, header)
    _check_layout(path, header)
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


def _name(place: int, fields: list[str]) -> str:
    return fields[8][:LONGEST_NAME] or f"signal {place + 1} (without name)"


def _signal_line(path: Path, place: int, fields: list[str]) -> SignalLine:
    """Fields stand by position; only those that reading needs are interpreted."""
    file_name, storage, _, _, _, _, checksum, _, _ = fields
    name = _name(place, fields)
    if not _FILE_NAME.fullmatch(file_name):
        sentence = f'lead "{name}" is said to be in "{file_name}", which is no file beside the header; correct it'
        raise RecordError(str(path), "file name", "header", sentence)
    form = _FORMAT.fullmatch(storage)
    if form is None or form[1] not in INVALID or form[2] not in (None, "1") or form[3] not in (None, "0"):
        sentence = f'lead "{name}" is of format "{storage}", which is not read; write it in format 16 with wfdb'
        raise RecordError(str(path), "format", "format", sentence)
    return SignalLine(
        place=place,
        name=name,
        file_name=file_name,
        format=form[1],
        byte_offset=int(form[4] or 0),
        checksum=_whole_number(path, "checksum", checksum, "header") if checksum else None,
        calibration=_calibration(path, fields) if canonical_lead(name) else None,
    )


def _calibration(path: Path, fields: list[str]) -> GainCalibration:
    _, _, calibration, _, adc_zero, _, _, _, name = fields
    gain = _GAIN.fullmatch(calibration)
    if gain is None or not 0 < abs(float(gain[1])) < math.inf:
        sentence = f'lead "{name}" has gain "{calibration}" and so is uncalibrated; correct the header'
        raise RecordError(str(path), "gain", "gain", sentence)
    try:
        unit = canonical_unit(gain[3] or "mV")  # header(5): millivolts when no unit is written
    except WaveformError as fault:
        sentence = f'lead "{name}" is in "{gain[3]}", expected {", ".join(UNITS_IN_MV)}; correct the header'
        raise RecordError(str(path), "unit", "unit", sentence) from fault
    zero = _whole_number(path, "ADC zero", adc_zero or "0", "header")
    return GainCalibration(float(gain[1]), int(gain[2]) if gain[2] else zero, unit)


def _check_leads(path: Path, header: Header) -> None:
    """At least one of the twelve leads, and none of them twice."""
    found: dict[str, str] = {}
    for line in header.signals:
        lead = canonical_lead(line.name)
        if lead in found:
            sentence = f'signals "{found[lead]}" and "{line.name}" are both lead {lead}; correct the header'
            raise RecordError(str(path), "lead name", "lead_names", sentence)
        if lead is not None:
            found[lead] = line.name
    if not found:
        shown = ", ".join(header.extra_leads[:12])
        sentence = f"no lead among {shown} is known; rename them to {', '.join(LEADS)} in the header"
        raise RecordError(str(path), "lead name", "unknown_leads", sentence)


def _check_layout(path: Path, header: Header) -> None:
    """Signals of one file stand together in the header and are stored alike (header(5))."""
    for file_name, lines in header.files.items():
        places = [line.place for line in lines]
        if places != [*range(places[0], places[0] + len(lines))]:
            sentence = f'the signals of "{file_name}" do not stand together in its header; correct the header'
            raise RecordError(str(path), "file name", "header", sentence)
        if len({(line.format, line.byte_offset) for line in lines}) > 1:
            sentence = f'the signals of "{file_name}" have different formats in its header; correct the header'
            raise RecordError(str(path), "format", "format", sentence)


def _whole_number(path: Path, field: str, text: str, problem: str, at_least: int | None = None) -> int:
    if not _INTEGER.fullmatch(text) or (at_least is not None and int(text) < at_least):
        sentence = f'its {field} is "{text}", expected a whole number; correct the header'
        raise RecordError(str(path), field, problem, sentence)
    return int(text)
