"""CSV tables that somebody else wrote or damaged: bounded, whole in every line, and empty where nothing was meant.

A frame written by pandas has "nan" where a report or an age is missing. That is settled here, for every column of
every table, and not in the cleaning of reports: those rules have a version that stores and models carry, and prompts
pass through them, where "none" may be a word.
"""

import codecs
import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import read_bounded

# MIMIC-IV-ECG, the largest open collection with reports, has 800,035 lines of 260 bytes; PTB-XL's 21,799 have 300.
MOST_LINES = 1_000_000
MOST_BYTES = 1 << 28
# Cells that say that there is no value, in lower case; pandas reads most of them so by default.
NOTHING = frozenset(
    "nan -nan #nan 1.#qnan -1.#qnan 1.#ind -1.#ind none null nil na n/a n.a. <na> #na #n/a nat - -- . ?".split()
)


class CsvTable(NamedTuple):
    """A CSV file."""

    columns: tuple[str, ...]
    lines: list[dict[str, str]]  # cell by needed column, or by every one; "" where nothing is written
    sha256: str  # of its bytes


def written(cell: str) -> str:
    """The cell itself (blanks too: the fingerprint of a source holds them), or "" where it spells nothing."""
    return "" if cell.strip().casefold() in NOTHING else cell


def read_csv(file: Path, needed: Sequence[str], remedy: str) -> CsvTable:
    """Every line with as many cells as the header; `needed` columns must be there, and they alone are kept (none: all).

    `remedy` ends the sentence of an error.
    """
    content = read_bounded(file, remedy=remedy, most_bytes=MOST_BYTES)
    reader = csv.reader(io.StringIO(_text(content, file, remedy), newline=""), strict=True)
    try:
        columns = tuple(next(reader, ()))
        for column in needed:
            if column not in columns:
                raise CgdmerError(f'{file} has no column "{column}"; {remedy}')
        if len(set(columns)) < len(columns):
            raise CgdmerError(f"{file} has two columns of one name; {remedy}")
        kept = {column: columns.index(column) for column in needed or columns}  # a million lines of all take gigabytes
        lines = []
        for cells in reader:
            if not cells:
                continue  # a blank line
            if len(cells) != len(columns):
                number = reader.line_num
                if not content.endswith((b"\n", b"\r")) and next(reader, None) is None:
                    raise CgdmerError(f"{file} is cut inside its last line ({number}); {remedy}")
                found = f"line {number} has {len(cells)} cells and its header {len(columns)}"
                raise CgdmerError(f"{file}: {found}; {remedy}")
            if len(lines) == MOST_LINES:
                raise CgdmerError(f"{file} has more than the {MOST_LINES:,} lines that are read; {remedy}")
            lines.append({column: written(cells[place]) for column, place in kept.items()})
    except csv.Error as error:
        raise CgdmerError(f"{file} is no CSV table (line {reader.line_num}: {error}); {remedy}") from error
    return CsvTable(columns, lines, hashlib.sha256(content).hexdigest())


def _text(content: bytes, file: Path, remedy: str) -> str:
    """The text of a table in UTF-8; another encoding is refused by name: guessed, it would change what reports say."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CgdmerError(f"{file} is UTF-16, as spreadsheets save it; save it as UTF-8, or {remedy}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"byte {content[error.start]:#04x} in line {line:,}, as in Latin-1 or Windows-1252"
        raise CgdmerError(f"{file} is not UTF-8 ({where}); save it as UTF-8, or {remedy}") from error
