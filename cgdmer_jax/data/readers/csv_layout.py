"""The first lines of a CSV file: whether it is a recording, which column is which, and where the numbers begin."""

import codecs
import csv
import re
from dataclasses import dataclass, replace

from cgdmer_jax.data.readers.checks import short_name
from cgdmer_jax.data.readers.record_files import text_of
from cgdmer_jax.waveform.conditioning import canonical_unit
from cgdmer_jax.waveform.lead_names import canonical_lead

# No measurement; the last three as spreadsheets write it.
NOTHING = ("", "nan", "NaN", "NAN", "na", "NA", "n/a", "N/A", "null", "NULL", "None", "-", "#N/A", "#NA", "#NV")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BEGINNING = 64  # bytes: in UTF-16 without a mark every second one of a line of names is zero
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])", re.IGNORECASE)  # Excel's own, before the names
_NO_VALUE = re.compile(r"#(N/A|NA|NV)\s*([,;\t]|$)")
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
    codec = "utf-16" if content.startswith(_UTF16) else _unmarked(content[:_BEGINNING])
    if codec:
        return content.decode(codec, errors="replace").encode("utf-8", errors="replace")
    return content.removeprefix(codecs.BOM_UTF8)


def _unmarked(beginning: bytes) -> str | None:
    """UTF-16 without a byte order mark, told by its ASCII letters: one half of each is zero, and the other never."""
    for codec, zero, letter in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if beginning[1:2] and not any(beginning[zero::2][:4]) and all(beginning[letter::2]):
            return codec
    return None


def layout_of(beginning: bytes) -> CsvLayout | None:
    """None where the text is no recording: something else stands above the first number than names of leads."""
    if b"\0" in beginning:
        return None
    lines = _LINE_END.split(text_of(beginning))
    said = _SEPARATOR_LINE.fullmatch(lines[0].strip(" "))
    comments = 1 if said else 0
    while comments < len(lines) and _is_comment(lines[comments]):
        comments += 1
    if comments == len(lines):
        return None
    first = lines[comments]
    next_place, below = _next(lines, comments)
    separator = said[1] if said else _separator_of(first)
    decimal = "," if separator != "," and _has_commas(f"{first} {below}", lines[comments:]) else "."
    n_columns = len(_cells(first, separator))
    if _all_numbers(first, separator):
        above = lines[comments - 1].lstrip("# ") if comments else ""  # numpy.savetxt makes a comment of the names
        names = _columns(_cells(above, separator))
        return CsvLayout(names if names and len(names) == n_columns else None, n_columns, separator, decimal, comments)
    names = _columns(_cells(first, separator))
    in_units = names and _with_units(names, _cells(below, separator))
    if in_units:
        n_skipped, names, below = next_place + 1, in_units, _next(lines, next_place)[1]
    else:
        n_skipped = comments + 1
    if names is None or (len(names) < 2 and below and not _all_numbers(below, separator)):  # a text may begin with "I"
        return None
    return CsvLayout(names, n_columns, separator, decimal, n_skipped)


def _is_comment(line: str) -> bool:
    """Whether nothing stands in a line, or a remark; a cell without a value may begin with the same mark."""
    text = line.lstrip()
    return not text or (text.startswith("#") and not _NO_VALUE.match(text))


def _next(lines: list[str], place: int) -> tuple[int, str]:
    """The next line that is not blank, with its place."""
    return next(((n, lines[n]) for n in range(place + 1, len(lines)) if lines[n].strip()), (len(lines), ""))


def _separator_of(first: str) -> str:
    """The separator of a line of names or numbers."""
    by_blanks = " " in first.strip() and _all_numbers(first, " ")
    return next((one for one in "\t;," if one in first), " " if by_blanks else ",")


def _with_units(columns: list[CsvColumn], cells: list[str]) -> list[CsvColumn] | None:
    """The columns with the units that stand below their names; None where that line does not hold them."""
    if len(cells) != len(columns):
        return None
    made = []
    for column, cell in zip(columns, cells, strict=True):
        unit = cell.strip().strip("[]()").strip()
        if canonical_lead(column.name):
            if not _VOLTS.fullmatch(unit) or (column.unit and canonical_unit(column.unit) != canonical_unit(unit)):
                return None
            made.append(replace(column, unit=unit))
        elif column.is_time and column.seconds is None and unit.casefold() in _SECONDS:
            made.append(replace(column, seconds=_SECONDS[unit.casefold()]))
        else:
            made.append(column)
    return made


def _has_commas(beginning: str, lines: list[str]) -> bool:
    """Whether numbers have a decimal comma; whole ones may come first, and of zeros nothing tells the mark."""
    if re.search(r"\d,\d", beginning):
        return True
    text = "\n".join(lines)
    return bool(re.search(r"\d,\d", text)) and not re.search(r"\d\.\d", text)


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
