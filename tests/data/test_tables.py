"""Tables of others: every fault of one is one sentence, and none takes more memory than its bytes justify."""

from pathlib import Path

import pytest

from cgdmer_jax.data.tables import table as table_module
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.errors import CgdmerError


def write(folder: Path, content: str | bytes) -> Path:
    file = folder / "table.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_cells_are_those_written_and_blank_lines_none(tmp_path):
    file = write(tmp_path, 'a,"b c",d\n1,"x, ""y""\nz",\n\n2,nan, \n')
    table = read_table(file, (), "restore it")
    assert table.columns == ("a", "b c", "d")
    assert table.lines == [{"a": "1", "b c": 'x, "y"\nz', "d": ""}, {"a": "2", "b c": "", "d": " "}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", 'has no column "a"'),
        ("b,c\n1,2\n", 'has no column "a"'),
        ("a,a\n1,2\n", "two columns of one name"),
        ("a,b\n1,2\n1\n", "line 3 has 1 cells and its header 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells and its header 2"),
        ("a,b\n" + "x" * 200_000 + ",1\n", r"is no CSV table .line 2: field larger than field limit"),
        ('a,b\n"1,2\n', "is no CSV table .line 2: unexpected end of data"),
        ("a,b\n1,2\n\nä,2\n".encode("latin-1"), "is not UTF-8 .byte 0xe4 in line 4, .*; save it as UTF-8, or"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16"),
        ("a,b\n1,2\n3", "is cut inside its last line .3."),
        ("a,b\n1\n3,4", "line 2 has 1 cells and its header 2"),
        ("a\n" + "1\n" * 12, "more than the 10 lines"),
        ("a\n" + "1" * 5000, "more than the 4000 bytes"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path, monkeypatch, content, words):
    monkeypatch.setattr(table_module, "MOST_LINES", 10)
    if "bytes" in words:
        monkeypatch.setattr(table_module, "MOST_BYTES", 4000)
    with pytest.raises(CgdmerError, match=rf"table\.csv:? .*{words}.*restore it$"):
        read_table(write(tmp_path, content), ("a",), "restore it")


def test_of_a_large_table_the_needed_columns_are_kept(tmp_path):
    """More lines than PTB-XL has; of 800,035 each further column would take 50 MB and more."""
    file = write(tmp_path, "id,a,report\n" + "".join(f"{number},x,sinus rhythm\n" for number in range(120_000)))
    table = read_table(file, ("report", "id"), "restore it")
    assert len(table.lines) == 120_000
    assert table.lines[-1] == {"report": "sinus rhythm", "id": "119999"}
