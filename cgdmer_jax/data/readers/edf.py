"""EDF and continuous EDF+ (EDF+C): the header's fields parsed here, its 16-bit samples out in millivolts.

The form is that of Kemp et al. 1992 and of EDF+ 2003; pyedflib is the oracle of the tests. Fields on the patient, the
recording and its date are not read, nor are annotations.
"""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cgdmer_jax.data.readers.checks import check_bounds, check_rate, places_of_leads, unit_of
from cgdmer_jax.data.readers.reader import Format, Location, fault, open_recording
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

VERSION = b"0" + 7 * b" "
AGAIN = "export the recording again"
VALUES_AT_ONCE = 1 << 20
_PART_BYTES = 256  # of the header: one part for the recording, one for each signal
_ANNOTATIONS = {"EDF Annotations", "BDF Annotations"}
# Field -> bytes, in the order of the header; each stands once for every signal before the next one begins.
_WIDTHS = {
    **{"label": 16, "transducer": 80, "unit": 8, "physical minimum": 8, "physical maximum": 8},
    **{"digital minimum": 8, "digital maximum": 8, "filter": 80, "samples": 8, "reserved": 32},
}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class _Signal:
    """A signal as the header describes it."""

    label: str
    fields: dict[str, str]
    samples: int  # in a data record
    first: int  # its place among the values of a data record


@dataclass(frozen=True)
class _Header:
    n_records: int
    seconds: float  # of a data record
    signals: list[_Signal]

    @property
    def n_values(self) -> int:
        """Values of a data record."""
        return sum(signal.samples for signal in self.signals)


def read_edf(path: str | Path, root: Path | None = None) -> Recording:
    """Reads an EDF or EDF+C file into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `root`: folder below which the file must lie once links are followed; None = anywhere. Sizes are checked before
    memory is allocated: at most 64 signals, at most an hour at 1 kHz. Annotations are passed over.

    Raises RecordError where the header, a lead's range, unit or rate, or the length of the file cannot be trusted, and
    where the recording has pauses (EDF+D).
    """
    location = Location(Path(path))
    with open_recording(location, root) as file:
        header = _read_header(location, file)
        signals = [signal for signal in header.signals if signal.label not in _ANNOTATIONS]
        names = [signal.label for signal in signals]
        places = places_of_leads(str(location), names, "correct the header")
        leads = [signals[place] for place in places]
        rate = _rate(location, leads, header.seconds)
        scales = [_scale(location, lead) for lead in leads]
        signal_mv = np.empty((len(leads), header.n_records * leads[0].samples), np.float32)
        step = max(1, VALUES_AT_ONCE // header.n_values)
        for start in range(0, header.n_records, step):
            n_records = min(step, header.n_records - start)
            content = file.read(2 * n_records * header.n_values)
            if len(content) != 2 * n_records * header.n_values:
                raise fault(location, "length", "length", "it became shorter while it was read; fetch it again")
            records = np.frombuffer(content, "<i2").reshape(n_records, header.n_values)
            for row, (lead, (gain, zero)) in enumerate(zip(leads, scales, strict=True)):
                into = slice(start * lead.samples, (start + n_records) * lead.samples)
                signal_mv[row, into] = (records[:, lead.first : lead.first + lead.samples] * gain + zero).reshape(-1)
    extra = tuple(name for place, name in enumerate(names) if place not in places)
    return Recording(signal_mv, rate, tuple(lead.label for lead in leads), str(location), extra)


def _read_header(location: Location, file: BinaryIO) -> _Header:
    """The header, compared with the size of the file."""
    size = os.fstat(file.fileno()).st_size
    main = _text(location, file, _PART_BYTES)
    if main[:8].encode() != VERSION:
        raise fault(location, "header", "version", f"its file does not begin as EDF does; {AGAIN}")
    if main[192:].startswith("EDF+D"):
        sentence = "it has pauses (EDF+D), which are not read; export it as continuous EDF+ or plain EDF"
        raise fault(location, "multi_segment", "reserved", sentence)
    n_signals = _whole(location, "number of signals", main[252:256])
    if n_signals < 1:
        sentence = f"its header announces {n_signals} signals, so there is no recording in it; leave the record out"
        raise fault(location, "header", "number of signals", sentence)
    check_bounds(str(location), n_signals, 0)
    header_bytes = _PART_BYTES * (n_signals + 1)
    if _whole(location, "size of the header", main[184:192]) != header_bytes:
        sentence = f"its header does not say {header_bytes:,} bytes, as one of {n_signals} signals has; {AGAIN}"
        raise fault(location, "header", "size of the header", sentence)
    signals = _signals(location, _text(location, file, header_bytes - _PART_BYTES), n_signals)
    seconds = _number(location, "length of a data record", main[244:252])
    header = _Header(_whole(location, "number of data records", main[236:244]), seconds, signals)
    record_bytes = 2 * header.n_values
    n_records = header.n_records if header.n_records != -1 else (size - header_bytes) // record_bytes  # never closed
    check_bounds(str(location), n_signals, n_records * max(signal.samples for signal in signals))
    expected = header_bytes + n_records * record_bytes
    if n_records < 1 or size != expected:
        sentence = f"{location.path} has {size:,} bytes, its header promises {expected:,}; fetch the record again"
        raise fault(location, "length", "length", sentence)
    return _Header(n_records, seconds, signals)


def _signals(location: Location, text: str, n_signals: int) -> list[_Signal]:
    columns, start = {}, 0
    for field, width in _WIDTHS.items():
        columns[field] = [text[start + k * width : start + (k + 1) * width].strip(" \0") for k in range(n_signals)]
        start += n_signals * width
    signals, first = [], 0
    for place in range(n_signals):
        fields = {field: column[place] for field, column in columns.items()}
        samples = _whole(location, "number of samples", fields["samples"])
        if samples < 1:
            sentence = f"its signal {place + 1} has {samples} samples in a data record; {AGAIN}"
            raise fault(location, "header", "number of samples", sentence)
        label = fields["label"] or f"signal {place + 1} (without name)"
        signals.append(_Signal(label, fields, samples, first))
        first += samples
    return signals


def _rate(location: Location, leads: list[_Signal], seconds: float) -> float:
    """Samples a second of the leads, which must be one and the same."""
    for lead in leads:
        if lead.samples != leads[0].samples:
            sentence = (
                f'leads "{leads[0].label}" and "{lead.label}" have {leads[0].samples} and {lead.samples} samples in a '
                "data record; export all leads at one rate"
            )
            raise fault(location, "rate", "number of samples", sentence)
    rate = leads[0].samples / seconds if seconds > 0 else math.inf
    shown = f"{leads[0].samples} samples in {seconds:g} s"
    check_rate(str(location), rate, shown, "correct the header")
    return rate


def _scale(location: Location, lead: _Signal) -> tuple[float, float]:
    """Millivolts a digital unit, and the millivolts of a digital zero."""
    fields = lead.fields
    low, high = (_number(location, f"physical {end}", fields[f"physical {end}"]) for end in ("minimum", "maximum"))
    lowest, highest = (_whole(location, f"digital {end}", fields[f"digital {end}"]) for end in ("minimum", "maximum"))
    gain = (high - low) / (highest - lowest) if highest > lowest else 0.0
    if not (1e-12 <= abs(gain) <= 1e9):  # beyond, samples are infinite or all the same
        sentence = (
            f'lead "{lead.label}" has digital values {lowest} to {highest} for {low:g} to {high:g} and so is '
            "uncalibrated; correct the header"
        )
        raise fault(location, "gain", "physical range", sentence)
    unit_mv = UNITS_IN_MV[unit_of(str(location), lead.label, fields["unit"], "correct the header")]
    return gain * unit_mv, (low - lowest * gain) * unit_mv


def _text(location: Location, file: BinaryIO, n_bytes: int) -> str:
    content = file.read(n_bytes)
    if len(content) != n_bytes:
        raise fault(location, "header", "header", "its file ends inside the header; fetch the record again")
    return content.decode("latin-1")


def _whole(location: Location, field: str, text: str) -> int:
    number = _number(location, field, text)
    if number != int(number):
        raise fault(location, "header", field, f"its {field} is no whole number; {AGAIN}")
    return int(number)


def _number(location: Location, field: str, text: str) -> float:
    text = text.strip(" \0")
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        # Without the text: where bytes are lost, the patient's name may stand there.
        raise fault(location, "header", field, f"its {field} is no number; {AGAIN}")
    return float(text)


FORMAT = Format(
    endings=(".edf",),
    fits=lambda beginning: beginning.startswith(VERSION) and beginning[184:192].strip().isdigit(),
    read=lambda location, root, hints: read_edf(location.path, root),
)
