"""WFDB headers: the fields that reading needs, taken from the text itself and checked.

Only signals that are one of the twelve leads are read, so only their names, gains and units are judged; of a signal
beside them in one file the storage format and the checksum count, since they tell whether that file is whole.

The form is header(5) of the WFDB Applications Guide, and this the one parser of it, whatever the format of the signal
file. Base date and time are not read (CinC writes them in the wrong order, others a year alone), nor are comments (they
hold patient fields).
"""

import codecs
import math
import os
import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from cgdmer_jax.data.readers.checks import check_bounds, check_names, check_rate, short_name, unit_of
from cgdmer_jax.data.readers.record_files import beside, open_record_file, refuse_pointer, text_of
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.readers.wfdb_formats import INVALID
from cgdmer_jax.waveform.lead_names import canonical_lead

MOST_HEADER_BYTES = 1_000_000
CORRECT = "correct the header"
GAINS = (1e-9, 1e12)  # digital units a physical one: beyond, samples of any format are infinite or all the same

_LINE_END = re.compile(r"\r\n|\n|\r")  # and nothing else that Unicode knows: a comment may hold anything
_BLANKS = " \t"
_FILE_NAME = re.compile(r"(?!\.\.?$)[^/\\\0]{1,255}")  # no folder: a header must not point elsewhere
_RECORD_NAME = re.compile(r"[\w.-]+(/\d+)?")
_RATE = re.compile(r"((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(/.*)?", re.ASCII)
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
    initial: int  # the value before the first difference, in format 8
    checksum: int | None  # None: not given or not computed
    calibration: GainCalibration | None  # None: none of the twelve leads, so not used and not judged


@dataclass(frozen=True)
class Header:
    """The checked header of a single-segment record."""

    rate: float  # hertz
    length: int | None  # samples a signal; None: not given, so it follows from the files
    signals: tuple[SignalLine, ...]  # of the files that hold a lead; the other files are not opened
    extra_leads: tuple[str, ...]  # names of all signals outside the twelve leads

    @property
    def files(self) -> dict[str, tuple[SignalLine, ...]]:
        """The signals by file, in the order in which their samples alternate."""
        names = dict.fromkeys(line.file_name for line in self.signals)
        return {name: tuple(line for line in self.signals if line.file_name == name) for name in names}


def read_header(path: Path, root: Path | None = None) -> Header:
    """Parses and checks `path`.hea, below `root` if given; nothing is allocated for signals yet."""
    file = beside(path.parent, f"{path.name}.hea")
    with open_record_file(path, file, "no_header", root) as opened:
        if os.fstat(opened.fileno()).st_size > MOST_HEADER_BYTES:
            sentence = f"{file} exceeds {MOST_HEADER_BYTES:,} bytes and is no header; restore it"
            raise RecordError(str(path), "header", "size", sentence)
        content = opened.read()
    refuse_pointer(path, file, "no_header", content)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RecordError(str(path), "header", "header", f"{file} is UTF-16; save it as UTF-8 or ASCII")
    lines = header_lines(content)
    if not lines:
        raise RecordError(str(path), "header", "header", f"{file} is empty; fetch the record again")
    n_signals, rate, length = _record_line(path, _fields(lines[0]))
    if len(lines) - 1 != n_signals:
        sentence = f"its header announces {n_signals} signals and describes {len(lines) - 1}; correct the header"
        raise RecordError(str(path), "number of signals", "header", sentence)
    fields = [_signal_fields(place, line) for place, line in enumerate(lines[1:])]
    files_with_leads = {line[0] for line in fields if canonical_lead(line[8])}
    signals = [_signal_line(path, k, line) for k, line in enumerate(fields) if line[0] in files_with_leads]
    extra_leads = [line[8] for line in fields if canonical_lead(line[8]) is None]
    header = Header(rate, length, tuple(_checksums(signals, length)), tuple(extra_leads))
    check_names(str(path), [line.name for line in signals], extra_leads, CORRECT)
    _check_layout(path, header)
    return header


def header_lines(content: bytes) -> list[str]:
    """The lines of a header that are no comment and not blank."""
    lines = [line.strip(_BLANKS) for line in _LINE_END.split(text_of(content))]
    return [line for line in lines if line and not line.startswith("#")]


def file_name_of(line: str) -> str:
    """The first field of a signal line."""
    return _fields(line, 2)[0]


def _fields(line: str, most: int = 0) -> list[str]:
    """Fields between blanks and tabs; of more than `most` (0: any number) the last is the rest of the line."""
    return re.split(f"[{_BLANKS}]+", line, maxsplit=max(0, most - 1))


def _record_line(path: Path, fields: list[str]) -> tuple[int, float, int | None]:
    """Number of signals, hertz, samples a signal (None: not given)."""
    name, number, given_rate, given_length = [*fields, "", "", ""][:4]
    if not _RECORD_NAME.fullmatch(_without_marks(name)):
        sentence = "its header does not start with a WFDB record line; fetch the record again"
        raise RecordError(str(path), "record name", "header", sentence)
    if "/" in name:
        sentence = f"its header joins several segments ({name:.80}); write it as a single record with wfdb first"
        raise RecordError(str(path), "record name", "multi_segment", sentence)
    n_signals = _whole_number(path, "number of signals", number, "header")
    if n_signals < 1:
        sentence = f"its header announces {n_signals} signals, so there is no recording in it; leave the record out"
        raise RecordError(str(path), "number of signals", "header", sentence)
    if not given_rate:  # header(5) would assume 250 Hz
        sentence = "its header gives no sampling rate; write the number of hertz after the number of signals"
        raise RecordError(str(path), "rate", "rate", sentence)
    form = _RATE.fullmatch(given_rate)
    rate = float(form[1]) if form else math.nan
    check_rate(str(path), rate, given_rate, CORRECT)
    length = _whole_number(path, "length", given_length or "0", "length")
    if length < 0:
        sentence = f'its length is "{given_length}", expected a number of samples; correct the header'
        raise RecordError(str(path), "length", "length", sentence)
    check_bounds(str(path), n_signals, length)
    return n_signals, rate, length or None  # header(5): 0 says as little as none


def _without_marks(name: str) -> str:
    """The letters alone of a name whose accents are characters of their own."""
    return "".join(letter for letter in name if not unicodedata.category(letter).startswith("M"))


def _checksums(signals: list[SignalLine], length: int | None) -> list[SignalLine]:
    """None is compared where the length is not given (header(5)), or where all are 0: placeholders (STAFF III)."""
    if length is None or not any((line.checksum or 0) % 65536 for line in signals):
        return [replace(line, checksum=None) for line in signals]
    return signals


def _signal_fields(place: int, line: str) -> list[str]:
    """The nine fields of a signal line, "" where one is not given; the last is the name."""
    *fields, name = [*_fields(line, 9), *[""] * 8][:9]
    return [*fields, short_name(name) or f"signal {place + 1} (without name)"]


def _signal_line(path: Path, place: int, fields: list[str]) -> SignalLine:
    """Fields stand by position; only those that reading needs are interpreted."""
    file_name, storage, _, _, adc_zero, initial, checksum, _, name = fields
    if not _FILE_NAME.fullmatch(file_name):
        sentence = f'lead "{name}" is said to be in "{file_name:.80}", which is no file beside the header; correct it'
        raise RecordError(str(path), "file name", "header", sentence)
    form = _FORMAT.fullmatch(storage)
    if form is None or form[1] not in INVALID or form[2] not in (None, "1") or form[3] not in (None, "0"):
        sentence = f'lead "{name}" is of format "{storage:.80}", which is not read; write it in format 16 with wfdb'
        raise RecordError(str(path), "format", "format", sentence)
    before_first = initial or adc_zero or "0" if form[1] == "8" else "0"  # header(5)
    return SignalLine(
        place=place,
        name=name,
        file_name=file_name,
        format=form[1],
        byte_offset=int(form[4] or 0),
        initial=_whole_number(path, "initial value", before_first, "header"),
        checksum=_whole_number(path, "checksum", checksum, "header") if checksum else None,
        calibration=_calibration(path, fields) if canonical_lead(name) else None,
    )


def _calibration(path: Path, fields: list[str]) -> GainCalibration:
    _, _, calibration, _, adc_zero, _, _, _, name = fields
    gain = _GAIN.fullmatch(calibration)
    if gain is None or not GAINS[0] <= abs(float(gain[1])) <= GAINS[1]:
        sentence = f'lead "{name}" has gain "{calibration:.80}" and so is uncalibrated; correct the header'
        raise RecordError(str(path), "gain", "gain", sentence)
    unit = unit_of(str(path), name, gain[3] or "mV", CORRECT)  # header(5): millivolts when no unit is written
    zero = _whole_number(path, "ADC zero", adc_zero or "0", "header")
    return GainCalibration(float(gain[1]), int(gain[2]) if gain[2] else zero, unit)


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


def _whole_number(path: Path, field: str, text: str, problem: str) -> int:
    if not _INTEGER.fullmatch(text):
        sentence = f'its {field} is "{text:.80}", expected a whole number; correct the header'
        raise RecordError(str(path), field, problem, sentence)
    return int(text)
