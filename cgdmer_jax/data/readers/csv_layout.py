"""The first lines of a CSV file: whether it is a recording, which column is which, and where the numbers begin."""

import codecs
import csv
import re
from dataclasses import dataclass

from cgdmer_jax.data.readers.checks import short_name
from cgdmer_jax.data.readers.record_files import text_of
from cgdmer_jax.waveform.lead_names import canonical_lead

NOTHING = ("", "nan", "NaN", "NAN", "na", "NA", "n/a", "N/A", "null", "NULL", "None", "-")  # no measurement
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END = re.compile(r"\r\n|\n|\r")
_UNIT = re.compile(r"(.+)(?:\s*\[(\w+)\]|\s*\((\w+)\)|[\s_/](\w+))")  # "V1 (mV)", "I_uV"
_VOLTS = re.compile(r"[mu\u00b5\u03bc]?V", re.IGNORECASE)
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 0.001, "us": 1e-6, "\u00b5s": 1e-6}
_TIME = {"time", "t", "times", "zeit"}
_PLACE = {"", "sample", "index", "n", "unnamed: 0"}  # the number of a line, as pandas writes it
_NUMBER = re.compile(r"\s*[+-]?((\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|nan|inf(inity)?)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class CsvColumn:
    """One column, by the cell above it."""

    name: str
    unit: str | None = None  # of a lead
    seconds: float | None = None  # that a unit of time takes
    is_time: bool = False

    @property
    def is_signal(self) -> bool:
        return not self.is_time and self.name.casefold() not in _PLACE


@dataclass(frozen=True)
class CsvLayout:
    """Where and how the numbers stand."""

    columns: list[CsvColumn] | None  # None: no line of names
    n_columns: int
    separator: str
    decimal: str
    n_skipped: int  # lines of names and comments


def looks_like_one(beginning: bytes) -> bool:
    """Whether a text that begins so is a recording: most of its columns have names of leads."""
    layout = layout_of(decoded(beginning))
    return layout is not None and layout.columns is not None


def decoded(content: bytes) -> bytes:
    """The same in UTF-8, of what a spreadsheet saved in UTF-16; numbers are ASCII in any other encoding."""
    if content.startswith(_UTF16):
        return content.decode("utf-16", errors="replace").encode("utf-8", errors="replace")
    return content.removeprefix(codecs.BOM_UTF8)


def layout_of(beginning: bytes) -> CsvLayout | None:
    """None where the text is no recording: something else stands above the first number than names of leads."""
    if b"\0" in beginning:
        return None
    lines = _LINE_END.split(text_of(beginning))
    comments = 0
    while comments < len(lines) and (not lines[comments].strip() or lines[comments].lstrip().startswith("#")):
        comments += 1
    if comments == len(lines):
        return None
    first = lines[comments]
    below = next((line for line in lines[comments + 1 :] if line.strip()), "")
    separator = next(
        (one for one in "\t;," if one in first), " " if " " in first.strip() and _all_numbers(first, " ") else ","
    )
    decimal = "," if separator != "," and re.search(r"\d,\d", f"{first} {below}") else "."
    n_columns = len(_cells(first, separator))
    if _all_numbers(first, separator):
        above = lines[comments - 1].lstrip("# ") if comments else ""  # numpy.savetxt makes a comment of the names
        names = _columns(_cells(above, separator))
        return CsvLayout(names if names and len(names) == n_columns else None, n_columns, separator, decimal, comments)
    names = _columns(_cells(first, separator))
    if names is None or (len(names) < 2 and below and not _all_numbers(below, separator)):  # a text may begin with "I"
        return None
    return CsvLayout(names, n_columns, separator, decimal, comments + 1)


def _all_numbers(line: str, separator: str) -> bool:
    cells = _cells(line, separator)
    return any(map(_NUMBER.fullmatch, cells)) and all(is_number(cell) for cell in cells)


def is_number(cell: str, decimal: str = ".,") -> bool:
    """Whether a cell can be read where this is the decimal mark; an empty one can."""
    marked = _NUMBER.fullmatch(cell) and all(mark in decimal for mark in ".," if mark in cell)
    return cell.strip() in NOTHING or bool(marked)


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.strip(" ")], delimiter=separator), [])
    except csv.Error:  # a cell that never ends
        return []


def _columns(cells: list[str]) -> list[CsvColumn] | None:
    """None where not more than half of the columns that may hold a signal are leads."""
    columns = [column_of(cell) for cell in cells]
    leads = [column for column in columns if canonical_lead(column.name)]
    return columns if 2 * len(leads) > sum(column.is_signal for column in columns) else None


def column_of(cell: str) -> CsvColumn:
    text = cell.strip().strip("'\"")
    if found := _UNIT.fullmatch(text):
        name, unit = found[1].strip(), found[2] or found[3] or found[4]
        if canonical_lead(name) and _VOLTS.fullmatch(unit):
            return CsvColumn(short_name(name), unit=unit)
        if name.casefold() in _TIME and unit.casefold() in _SECONDS:
            return CsvColumn(name, seconds=_SECONDS[unit.casefold()], is_time=True)
    if text.casefold() in _TIME or text.casefold() in _SECONDS:
        return CsvColumn(text, seconds=_SECONDS.get(text.casefold()), is_time=True)
    return CsvColumn(short_name(text))
