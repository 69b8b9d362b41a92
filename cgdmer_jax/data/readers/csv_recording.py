"""CSV recordings: a column for each lead, named in the first line or by hints; comma, semicolon, tab or blank between.

A column of times (`time_s`, `t [ms]`) gives the rate, a unit in a name ("V1 (mV)") that lead's unit. A table of
something else is told from a recording by its first line. Errors name line and column and never repeat a cell: it may
hold what nobody should read.
"""

import csv
import io
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from pyarrow import csv as arrow_csv

from cgdmer_jax.data.readers.arrays import FLAGS, completed, recording_of
from cgdmer_jax.data.readers.checks import RATES_HZ, check_bounds, check_names, unit_of
from cgdmer_jax.data.readers.csv_layout import (
    NOTHING,
    CsvColumn,
    CsvLayout,
    column_of,
    decoded,
    is_number,
    layout_of,
    looks_like_one,
)
from cgdmer_jax.data.readers.reader import Format, Hints, Location, fault, open_recording
from cgdmer_jax.data.readers.record_files import text_of
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV
from cgdmer_jax.waveform.lead_names import canonical_lead

MOST_BYTES = 1 << 29  # an hour of twelve leads at 1 kHz takes 400 MB
BEGINNING = 1 << 16  # bytes within which the numbers must begin
CORRECT = "correct the file"


def read_csv_recording(path: str | Path, root: Path | None, hints: Hints) -> Recording:
    """Reads a CSV file into a `Recording`: float32 millivolts [lead, time], its rate in Hz, its lead names.

    `root`: folder below which the file must lie once links are followed; None = anywhere. `hints`: the rate, leads and
    unit that the file does not say; the leads name every column, one of times too. Empty cells were not measured.

    Raises RecordError where a cell is no number, a line has more or fewer cells, the times are not evenly spaced, or
    something is left unsaid that no hint says.
    """
    location = Location(Path(path))
    content = _content(location, root)
    layout = layout_of(content[:BEGINNING])
    if layout is None:
        raise fault(
            location, "format", "header", "its first line holds neither numbers nor names of leads; leave it out"
        )
    columns = layout.columns or _hinted(location, layout, hints)
    names = [column.name for column in columns]
    leads = [place for place, name in enumerate(names) if canonical_lead(name)]
    extra = tuple(column.name for column in columns if column.is_signal and not canonical_lead(column.name))
    check_names(str(location), names, extra, CORRECT)
    n_lines = max(content.count(b"\n"), content.count(b"\r"))  # before memory is taken for them
    check_bounds(str(location), len(leads), n_lines - layout.n_skipped)
    rate = hints.rate
    for place, column in enumerate(columns):
        if column.is_time:
            rate = _rate_of(location, content, layout, place, column, hints)
            break
    signal = _numbers(location, content, layout, leads)
    check_bounds(str(location), len(leads), signal.shape[1])
    said = None
    if any(columns[place].unit for place in leads):
        said = "mV"
        for row, place in zip(signal, leads, strict=True):
            unit = columns[place].unit or hints.unit
            if unit is None:
                sentence = f'its file does not say the unit of lead "{names[place]}"; say it with --unit'
                raise fault(location, "unit", "unit", sentence)
            row *= UNITS_IN_MV[unit_of(str(location), names[place], unit, CORRECT)]
    facts = completed(Hints(rate, tuple(names[place] for place in leads), said), hints)
    return replace(recording_of(location, signal, facts), extra_leads=extra)


def _content(location: Location, root: Path | None) -> bytes:
    with open_recording(location, root) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            sentence = f"its file has {size:,} bytes, but of CSV at most {MOST_BYTES:,} are read; cut the record"
            raise fault(location, "size", "length", sentence)
        return decoded(file.read())


def _hinted(location: Location, layout: CsvLayout, hints: Hints) -> list[CsvColumn]:
    """Columns of a file without a line of names."""
    if hints.leads is None:
        sentence = "its file does not say the leads of its samples; say them, one for each column, with --leads"
        raise fault(location, "unknown_leads", "leads", sentence)
    if len(hints.leads) != layout.n_columns:
        sentence = f"its lines have {layout.n_columns} cells and {len(hints.leads)} are named; name each with --leads"
        raise fault(location, "unknown_leads", "leads", sentence)
    return [column_of(name) for name in hints.leads]


def _numbers(
    location: Location, content: bytes, layout: CsvLayout, places: list[int]
) -> Float[np.ndarray, "column line"]:
    """The columns at these places; NaN where nothing stands."""
    names = [str(place) for place in range(layout.n_columns)]
    wanted = [str(place) for place in places]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            arrow_csv.ReadOptions(use_threads=False, skip_rows=layout.n_skipped, column_names=names),
            # Of a single column an empty line is a gap.
            arrow_csv.ParseOptions(delimiter=layout.separator, ignore_empty_lines=layout.n_columns > 1),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.float64()),
                include_columns=wanted,
                null_values=NOTHING,
                decimal_point=layout.decimal,
            ),
        )
    except pa.ArrowException as error:  # its words repeat the cell
        raise _fault(location, content, layout, places) from error
    return np.stack([table[name].to_numpy() for name in wanted])


def _fault(location: Location, content: bytes, layout: CsvLayout, places: list[int]) -> RecordError:
    """The first cell or line that is wrong, found again line by line."""
    lines = csv.reader(io.StringIO(text_of(content), newline=""), delimiter=layout.separator)
    sentence = f"its lines cannot be read as numbers; {CORRECT}"
    try:
        for cells in lines:
            number = lines.line_num
            if number <= layout.n_skipped or not cells:
                continue
            if len(cells) != layout.n_columns:
                is_last = next(lines, None) is None
                cut = "is cut inside its last line" if is_last and len(cells) < layout.n_columns else "is uneven"
                sentence = (
                    f"its file {cut}: line {number:,} has {len(cells)} cells, expected {layout.n_columns}; {CORRECT}"
                )
                return fault(location, "length", f"line {number}", sentence)
            for place in places:
                if not is_number(cells[place], layout.decimal):
                    sentence = f"its file holds no number in line {number:,}, column {place + 1}; {CORRECT}"
                    return fault(location, "format", f"line {number}", sentence)
    except csv.Error:  # a cell that never ends
        pass
    return fault(location, "format", "lines", sentence)


def _rate_of(
    location: Location, content: bytes, layout: CsvLayout, place: int, column: CsvColumn, hints: Hints
) -> float:
    """Samples a second by the column of times, or by the hint where that is none of seconds; a hint fills no gap."""
    try:
        return _rate(location, column, _numbers(location, content, layout, [place])[0], hints.rate)
    except RecordError as error:
        if hints.rate is None or error.problem == "multi_segment":
            raise
    return hints.rate


def _rate(location: Location, column: CsvColumn, times: Float[np.ndarray, " line"], said: float | None) -> float:
    seconds = (times - times[:1]) * (column.seconds or 1.0)
    rate = (len(seconds) - 1) / seconds[-1] if len(seconds) > 1 and seconds[-1] > 0 else math.nan
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        sentence = f'its column "{column.name}" gives no rate of {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz'
        remedy = f"call it time_s or time_ms, whichever it is, or say the rate with {FLAGS['rate']}"
        raise fault(location, "rate", "time", f"{sentence}; {remedy}")
    places = np.arange(len(seconds))
    for one in (float(round(rate)), rate):  # times are rounded, rates are round
        if abs(one - rate) <= 1e-3 * rate and np.all(np.abs(seconds * one - places) <= 0.75):
            return one
    if said is not None and abs(said - rate) <= 0.01 * rate:  # times are rounded to more than a sample
        return said
    uneven = np.flatnonzero(~(np.abs(seconds * rate - places) <= 0.75))[0]
    sentence = (
        f'its column "{column.name}" is not evenly spaced (sample {uneven + 1:,}); resample it, or cut the record'
    )
    raise fault(location, "multi_segment", "time", sentence)


FORMAT = Format(
    endings=(".csv", ".tsv"),
    fits=looks_like_one,
    read=lambda location, root, hints: read_csv_recording(location.path, root, hints),
    may_fit=lambda beginning: layout_of(decoded(beginning)) is not None,
)
