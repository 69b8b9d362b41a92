"""A table of somebody else: bounded, whole in every line, empty where nothing was meant, each fault with its place.

No sentence shows a cell: it may be a patient's report.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.data.tables.cells import written
from cgdmer_jax.data.tables.decoding import LATIN, Form, separator_of, text_of
from cgdmer_jax.data.tables.parquet import MAGIC, parquet_lines
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.json_file import read_bounded

# MIMIC-IV-ECG, the largest open collection with reports, has 800,035 lines of 260 bytes; PTB-XL's 21,799 have 300.
MOST_LINES = 1_000_000
MOST_BYTES = 1 << 28
# A number, a date or a long text: a line of cells, not of names.
_NO_NAME = re.compile(r"[+-]?\d[\d.,:/ T-]*Z?|.{61,}", re.DOTALL)

Needed = Sequence[str] | Callable[[tuple[str, ...]], Sequence[str]]
Keep = Callable[[tuple[str, ...]], dict[str, int]]  # the columns of a file -> those that are kept, with their places


@dataclass(frozen=True)
class TableFile:
    """A table of a file.

    - `columns`: names of all of them, without blanks around.
    - `lines`: cell by needed column, or by every one; "" where nothing is written.
    - `numbers`: line of the file at which each of `lines` begins; of Parquet, its number.
    - `sha256`: of the file's bytes. `form`: how it was read.
    """

    file: Path
    columns: tuple[str, ...]
    lines: list[dict[str, str]]
    numbers: Sequence[int]
    sha256: str
    form: Form

    def at(self, place: int, column: str) -> str:
        """The place of a cell, with which a sentence about it begins."""
        return f'{self.file}: line {self.numbers[place]:,}, column "{column}":'

    @property
    def remarks(self) -> list[str]:
        """A sentence where the encoding is a guess, else none."""
        told = f"{self.file.name} was read as {LATIN}; if letters of its reports are wrong, save it as UTF-8"
        return [told] * (self.form.encoding == LATIN)


def read_table(file: Path, needed: Needed, remedy: str, remedy_of_column: str | None = None) -> TableFile:
    """A CSV of any usual separator and encoding, or a Parquet file; told apart by its content.

    `needed` columns must be there, and they alone are kept (none: all): a million lines of all take gigabytes. A
    function says which, given those that there are. Every line has as many cells as the header; blank lines count for
    nothing. `remedy` ends the sentence of an error, `remedy_of_column` that on a
    column that is not there (default: the same).
    """
    content = read_bounded(file, remedy=remedy, most_bytes=MOST_BYTES)
    sha256 = hashlib.sha256(content).hexdigest()

    def keep(names: tuple[str, ...]) -> dict[str, int]:
        return _kept(names, needed, file, remedy, remedy_of_column or remedy)

    if content.startswith(MAGIC):
        columns, lines = parquet_lines(content, keep, file, remedy)
        form = Form("Parquet", "")
    else:
        text, encoding = text_of(content, file, remedy)
        separator, start = separator_of(text, () if callable(needed) else needed, file)
        form = Form(encoding, separator)
        rows = _rows(text[start:], separator, 2 if start else 1, file, remedy)
        columns, lines = _csv_lines(rows, text, keep, file, remedy)
    kept, numbers = [], []
    for number, line in lines:
        if len(kept) == MOST_LINES:
            raise CgdmerError(f"{file} has more than the {MOST_LINES:,} lines that are read; {remedy}")
        kept.append(line)
        numbers.append(number)
    return TableFile(file, columns, kept, numbers, sha256, form)


def _kept(columns: tuple[str, ...], needed: Needed, file: Path, remedy: str, remedy_of_column: str) -> dict[str, int]:
    needed = needed(columns) if callable(needed) else needed
    for column in needed:
        if column not in columns:
            if any(map(_NO_NAME.fullmatch, columns)):  # perhaps of a patient: nothing of it is shown
                raise CgdmerError(f'{file} has no column "{column}", perhaps since its first line names none; {remedy}')
            nearest = suggest(column, [name for name in columns if name]) if any(columns) else ""
            raise CgdmerError(f'{file} has no column "{column}"; {remedy_of_column}{nearest and "."}{nearest}')
    named = [column for column in columns if column or column in needed]  # Excel leaves columns without a name
    if len(set(named)) < len(named):
        twice = next(column for column in named if named.count(column) > 1)
        one, other, *_ = (place for place, column in enumerate(columns, 1) if column == twice)
        # By place: the first line of a file without names holds cells.
        raise CgdmerError(f"{file} has two columns of one name ({one} and {other}); {remedy}")
    return {column: columns.index(column) for column in needed or named}


def _csv_lines(
    rows: Iterator[tuple[int, list[str]]], text: str, keep: Keep, file: Path, remedy: str
) -> tuple[tuple[str, ...], Iterator[tuple[int, dict[str, str]]]]:
    """Names of all columns, and the cells of the kept ones line by line with the number of the line."""
    _, header = next(rows, (1, []))
    columns = tuple(name.strip() for name in header)
    kept = keep(columns)

    def lines() -> Iterator[tuple[int, dict[str, str]]]:
        for number, cells in rows:
            if len(cells) != len(columns):
                if not text.endswith(("\n", "\r")) and next(rows, None) is None:
                    raise CgdmerError(f"{file} is cut inside its last line ({number}); {remedy}")
                found = f"line {number} has {len(cells)} cells and its header {len(columns)}"
                raise CgdmerError(f"{file}: {found}; {remedy}")
            if any(cells):  # of a spreadsheet's empty line the separators are left
                yield number, {column: written(cells[place]) for column, place in kept.items()}

    return columns, lines()


def _rows(text: str, separator: str, begins: int, file: Path, remedy: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of each line that is not blank, with the number of the line at which it begins; the first is `begins`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    first = begins
    try:
        for cells in reader:
            if cells:
                yield begins, cells
            begins = first + reader.line_num
    except csv.Error as error:
        raise CgdmerError(f"{file} is no CSV table (line {begins}: {error}); {remedy}") from error
