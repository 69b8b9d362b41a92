"""The text of a table and the character that separates its cells, both found in the file itself.

Spreadsheets save UTF-8 with or without a byte order mark, UTF-16, and the code page of Western Europe; separators are
what the country writes. What was assumed is told (`Form`), since a wrong code page would change what reports say.
"""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
TAB_ENDINGS = (".tsv", ".tab")
LATIN = "Windows-1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_NO_TEXT = {  # how files begin that are called .csv by mistake
    b"PK\x03\x04": "an Excel workbook or another ZIP archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save the sheet as CSV",
    b"\x1f\x8b": "compressed (gzip); unpack it",
    b"\x28\xb5\x2f\xfd": "compressed (zstd); unpack it",
    b"SQLite format 3": "an SQLite database; save the table as CSV",
}
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")  # bytes that could not be decoded, as surrogateescape keeps them
_UTF_8_LETTER = re.compile("[^\x00-\x7f\udc80-\udcff]")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n")  # Excel's own, before the header
_BEGINNING = 64  # bytes: UTF-16 without a mark has a zero in every second one, text in another encoding has none
_HEAD = 1 << 18  # characters that are looked at for the separator
_LINES = 50


class Form(NamedTuple):
    """How a table was written, as far as it had to be found out. `told`: in words."""

    encoding: str
    separator: str

    @property
    def told(self) -> str:
        return f"{self.encoding}, separated by {SEPARATORS.get(self.separator, self.separator)}"

    @property
    def decimal_comma(self) -> bool:
        """Whether "56,5" in a cell may be a number: the comma separates nothing else."""
        return self.separator != ","


def text_of(content: bytes, file: Path, remedy: str) -> tuple[str, str]:
    """The text of a table and the name of its encoding."""
    for beginning, what in _NO_TEXT.items():
        if content.startswith(beginning):
            raise CgdmerError(f"{file} is {what}, or {remedy}")
    for mark, codec, name in _MARKS:
        if content.startswith(mark):
            return _decoded(content, codec, name, file, remedy), name
    if b"\0" in content[:_BEGINNING]:
        codec = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
        return _decoded(content, codec, "UTF-16", file, remedy), "UTF-16"
    text = content.decode("utf-8", "surrogateescape")
    n_wrong = len(_NOT_UTF_8.findall(text))
    if not n_wrong:
        return text, "UTF-8"
    # Letters of UTF-8 hardly ever come about in another encoding: with some of them this is UTF-8, and damaged.
    if 10 * len(_UTF_8_LETTER.findall(text)) > n_wrong:
        _decoded(content, "utf-8", "UTF-8", file, remedy)
    return content.decode("cp1252") if _fits_latin(content) else content.decode("latin-1"), LATIN


def _fits_latin(content: bytes) -> bool:
    """Whether Windows-1252 has a letter for every byte; Latin-1 has one for the other five, though no visible one."""
    return not any(byte in content for byte in b"\x81\x8d\x8f\x90\x9d")


def _decoded(content: bytes, codec: str, name: str, file: Path, remedy: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CgdmerError(
            f"{file} is {name} and damaged (byte {content[error.start]:#04x} in line {line:,}); save it anew as UTF-8, "
            f"or {remedy}"
        ) from error


def separator_of(text: str, needed: Sequence[str], file: Path) -> tuple[str, int]:
    """The separator of the cells, and how many characters of the text stand before the header."""
    if (said := _SEPARATOR_LINE.match(text)) and said[1] in SEPARATORS:
        return said[1], said.end()
    order = sorted(SEPARATORS, key=lambda separator: separator != "\t") if file.suffix in TAB_ENDINGS else SEPARATORS
    return max(order, key=lambda separator: _fit(text, separator, needed)), 0


def _fit(text: str, separator: str, needed: Sequence[str]) -> tuple[int, bool, float, int]:
    """Ranks separators: first by needed columns, then by lines as long as the header, then by columns."""
    rows = []
    try:
        for cells in islice(
            csv.reader(io.StringIO(text[:_HEAD], newline=""), delimiter=separator, strict=True), _LINES
        ):
            if cells:
                rows.append(cells)
    except csv.Error:
        pass  # what is wrong is told when the whole is read; what came before tells the separator
    if len(text) > _HEAD and len(rows) > 1:
        rows.pop()  # cut by us
    if not rows:
        return 0, False, 0.0, 0
    header = {cell.strip() for cell in rows[0]}
    alike = sum(len(cells) == len(rows[0]) for cells in rows) / len(rows)
    return sum(column in header for column in needed), len(rows[0]) > 1, alike, len(rows[0])
