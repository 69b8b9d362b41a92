"""Tables of others: the cells that were written, whoever wrote them, and one sentence for every fault of a table."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.tables import table as table_module
from cgdmer_jax.data.tables.cells import NOTHING, number, yes_or_no
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.errors import CgdmerError

REMEDY = "restore it"
LATIN = "aéüß,;|\t\"'\n\r x0"  # of every encoding, and all that separates and quotes
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")
PROPERTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the folder is written over by each example
names = st.lists(st.text("abcdeé_ 1", min_size=1).filter(str.strip), min_size=2, max_size=5, unique_by=str.strip)


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def meant(cell: str) -> str:
    return "" if cell.strip().casefold() in NOTHING else cell


@PROPERTY
@given(st.data(), names, st.sampled_from(",;\t|"), st.sampled_from(ENCODINGS), st.sampled_from(("\n", "\r\n", "\r")))
def test_a_csv_of_any_separator_and_encoding_is_read_as_the_csv_module_wrote_it(
    tmp_path, data, columns, separator, encoding, end
):
    cells = st.lists(st.text(LATIN), min_size=len(columns), max_size=len(columns)).filter(any)
    lines = data.draw(st.lists(cells, max_size=6))
    text = io.StringIO()
    broken = any(letter in cell for line in lines for cell in line for letter in "\n\r")
    # QUOTE_MINIMAL leaves line ends other than `end` without quotation marks.
    quoting = csv.QUOTE_ALL if broken else data.draw(st.sampled_from((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)))
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows([columns, *lines])
    table = read_table(write(tmp_path, text.getvalue().encode(encoding)), [*map(str.strip, columns)], REMEDY)
    assert table.columns == tuple(map(str.strip, columns))
    assert [list(line.values()) for line in table.lines] == [[meant(cell) for cell in line] for line in lines]
    assert table.form.separator == separator


@PROPERTY
@given(st.data(), names)
def test_without_a_word_of_what_is_needed_the_separator_is_found_from_the_lines(tmp_path, data, columns):
    separator = data.draw(st.sampled_from(",;\t|"))
    cells = st.lists(st.text("ab1.", min_size=1), min_size=len(columns), max_size=len(columns))
    lines = data.draw(st.lists(cells, min_size=1, max_size=6))
    text = "\n".join(separator.join(line) for line in [columns, *lines])
    table = read_table(write(tmp_path, text), (), REMEDY)
    assert [list(line.values()) for line in table.lines] == [[meant(cell) for cell in line] for line in lines]


@PROPERTY
@given(
    st.lists(
        st.tuples(st.none() | st.text("aé\n\"'x "), st.none() | st.integers(-9, 10**12), st.booleans()), min_size=1
    ),
    st.booleans(),
)
def test_a_parquet_file_says_what_the_frame_held(tmp_path, lines, categories):
    frame = pd.DataFrame(lines, columns=["text", "count", "flag"]).astype({"text": "string", "count": "Int64"})
    if categories:
        frame["text"] = frame["text"].astype("category")
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", ("flag", "text", "count"), REMEDY)
    assert [*table.numbers] == [*range(1, len(lines) + 1)]
    for line, (text, count, flag) in zip(table.lines, lines, strict=True):
        assert line["text"] == meant(text or "")
        assert (number(line["count"]) or 0) == (count or 0) and (line["count"] == "") == (count is None)
        assert yes_or_no(line["flag"]) is flag


def test_a_long_id_in_a_parquet_column_with_a_gap_is_written_out(tmp_path):
    pd.DataFrame({"id": [12345678901.0, None, 10000032.0, 0.5, 1e300]}).to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", ("id",), REMEDY)
    assert [line["id"] for line in table.lines] == ["12345678901", "", "10000032", "0.5", "1e+300"]


@PROPERTY
@given(st.binary(max_size=200), st.sampled_from((b"", b"a,b\n", b"a;b\n1;2\n", b"PAR1", b"\xff\xfe", b"sep=;\na;b\n")))
def test_no_bytes_are_more_than_a_table_or_a_sentence(tmp_path, content, beginning):
    file = write(tmp_path, beginning + content)
    try:
        table = read_table(file, (), REMEDY)
    except CgdmerError as error:
        assert str(error).startswith(str(file)) and "\n" not in str(error)
    else:
        assert len(table.numbers) == len(table.lines)
        assert all(isinstance(cell, str) for line in table.lines for cell in line.values())


@PROPERTY
@given(st.text(min_size=1).filter(lambda text: text.strip()), st.integers(0, 3))
def test_a_sentence_never_shows_a_cell(tmp_path, secret, spoilt):
    """What is written may be a patient's report."""
    told = "PATIENT " + secret.replace("\r", " ").replace("\n", " ")
    lines = [["id", "report"], ["1", told], ["2", told]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    content = text.getvalue()
    content = (content + '"x', content + "1,2,PATIENT", content + "PATIENT", content.replace("2,", '2,"x"PATIENT', 1))[
        spoilt
    ]
    try:
        read_table(write(tmp_path, content.encode(errors="replace")), ("id", "nothing"), REMEDY)
    except CgdmerError as error:
        assert "PATIENT" not in str(error)


def test_a_cell_knows_its_line_through_blank_lines_and_line_ends_within_cells(tmp_path):
    table = read_table(write(tmp_path, 'a,b\n\n"x\ny",1\n,\n2,3\n'), (), REMEDY)
    assert [line["a"] for line in table.lines] == ["x\ny", "2"] and table.numbers == [3, 6]
    assert table.at(1, "b") == f'{table.file}: line 6, column "b":'
    after_excel = read_table(write(tmp_path, "sep=;\na;b\n1,5;2\n"), (), REMEDY)
    assert after_excel.numbers == [3] and after_excel.lines == [{"a": "1,5", "b": "2"}]


def test_columns_without_a_name_and_blanks_around_names_are_no_obstacle(tmp_path):
    table = read_table(write(tmp_path, " a ;b;;\n1;2;;\n;;;\n"), ("a", "b"), REMEDY)
    assert table.lines == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("cell", "comma", "value"),
    [
        ("56", False, "56"), (" 56.50 ", False, "56.50"), ("1e3", False, "1000"), ("-.5", False, "-0.5"),
        ("56,5", True, "56.5"), ("56,5", False, None), ("1.234,5", True, None), ("1,234,567", True, None),
        ("12345678901234567890", False, "12345678901234567890"), ("1_000", False, None), ("٣", False, None),
        ("nan", False, None), ("", False, None), ("0x10", False, None), ("9" * 31, False, None),
    ],
)  # fmt: skip
def test_a_number_is_exact_or_none(cell, comma, value):
    assert number(cell, decimal_comma=comma) == (None if value is None else Decimal(value))


def test_yes_and_no_are_those_that_programs_write():
    assert [yes_or_no(cell) for cell in ("1", "1.0", "True", "yes", "Y")] == [True] * 5
    assert [yes_or_no(cell) for cell in ("0", "0.0", "FALSE", "no", "n")] == [False] * 5
    assert [yes_or_no(cell) for cell in ("", "2", "0.5", "-1", "AF")] == [None] * 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", 'has no column "a"; restore it$'),
        ("b,c\n1,2\n", r'has no column "a"; restore it\. Known: b, c\.$'),
        ("ab,c\n1,2\n", r'has no column "a"; restore it\. Did you mean "ab"\?$'),
        ("1dAVb,c\n1,2\n", r'has no column "a"; restore it\. Known: 1dAVb, c\.$'),
        ("Muster,Erika,1950-01-01\n", 'has no column "a", perhaps since its first line names none; restore it$'),
        ("id,The patient Erika Muster has been in our care since the summer of 1990\n", "its first line names none; "),
        ("a,b,a\n1,2,3\n", r"two columns of one name \(1 and 3\)"),
        ("a,Erika,Erika\n1,2,3\n", r"two columns of one name \(2 and 3\)"),
        ("a,b\n1,2\n1\n", "line 3 has 1 cells and its header 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells and its header 2"),
        ("a,b\n" + "x" * 200_000 + ",1\n", r"is no CSV table .line 2: field larger than field limit"),
        ('a,b\n1,2\n"1,2\n\n', "is no CSV table .line 3: unexpected end of data"),
        ("a,b\n1,2\n3", "is cut inside its last line .3."),
        ("a,b\n1\n3,4", "line 2 has 1 cells and its header 2"),
        ("a,b\nü,2\nß,".encode() + b"\xff\n", "is UTF-8 and damaged .byte 0xff in line 3.; save it anew as UTF-8, or"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "is UTF-16 and damaged"),
        (b"PK\x03\x04" + b"\0" * 40, "is an Excel workbook .*; save the sheet as CSV, or"),
        (b"\x1f\x8b" + b"\0" * 40, "is compressed .gzip.; unpack it, or"),
        (b"PAR1" + b"\0" * 40, "begins as a Parquet file and cannot be read as one"),
        ("a\n" + "1\n" * 12, "more than the 10 lines"),
        ("a\n" + "1" * 5000, "more than the 4000 bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path, monkeypatch, content, words):
    monkeypatch.setattr(table_module, "MOST_LINES", 10)
    if "bytes" in words:
        monkeypatch.setattr(table_module, "MOST_BYTES", 4000)
    end = "" if words.endswith("$") else ".*restore it$"
    with pytest.raises(CgdmerError, match=rf"table\.csv:? .*{words}{end}"):
        read_table(write(tmp_path, content), ("a",), REMEDY)


def test_latin_letters_are_read_and_told(tmp_path):
    table = read_table(write(tmp_path, "a,b\n€ä,2\n".encode("cp1252")), (), REMEDY)
    assert table.lines[0]["a"] == "€ä" and table.form.told == "Windows-1252, separated by comma"
    assert table.remarks == [
        "table.csv was read as Windows-1252; if letters of its reports are wrong, save it as UTF-8"
    ]
    assert not read_table(write(tmp_path, "a,b\nä,2\n"), (), REMEDY).remarks


def test_a_parquet_of_lists_or_of_more_than_it_looks_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [["x"], ["y"]], "b": ["1", "2"]}), file)
    with pytest.raises(CgdmerError, match=r'has lists or several values a cell in column "a"; write .*restore it$'):
        read_table(file, (), REMEDY)
    assert read_table(file, ("b",), REMEDY).lines == [{"b": "1"}, {"b": "2"}]
    pq.write_table(pa.table({"a": ["x" * 100_000] * 5000}), file)  # 500 MB in some kilobytes
    assert file.stat().st_size < 100_000
    with pytest.raises(CgdmerError, match=r"unpacks into more than the 268,435,456 bytes that are read; restore it$"):
        read_table(file, ("a",), REMEDY)


def test_of_a_large_table_the_needed_columns_are_kept(tmp_path):
    """More lines than PTB-XL has; of 800,035 each further column would take 50 MB and more."""
    file = write(tmp_path, "id,a,report\n" + "".join(f"{number},x,sinus rhythm\n" for number in range(120_000)))
    table = read_table(file, ("report", "id"), REMEDY)
    assert len(table.lines) == 120_000
    assert table.lines[-1] == {"report": "sinus rhythm", "id": "119999"}
