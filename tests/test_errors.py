"""The sentence of an error: what it quotes of a file cannot steer the terminal that shows it."""

import pytest

from cgdmer_jax.errors import LONGEST_LINE, LONGEST_WORD, CgdmerError, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("record \x1b[2J7", r"record \x1b[2J7"),
        ("\u202e7 drocer", r"\u202e7 drocer"),
        ("a\x00b\x7f\x9b", r"a\x00b\x7f\x9b"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("half a pair \udcff", r"half a pair \udcff"),
        ("Übersicht 心電図\u00a0µV \U0001f600\n  \tnext line", "Übersicht 心電図\u00a0µV \U0001f600\n  \tnext line"),
    ],
)
def test_what_would_steer_a_terminal_is_spelled_out_and_nothing_else(text, shown):
    assert visible(text) == shown == str(CgdmerError(text))


def test_a_name_with_a_line_end_begins_no_line_and_a_table_has_its_own():
    told = str(CgdmerError("the tensors differ\n  missing     a [3]\n  extra       Layer\nNorm [3]"))
    assert told.split("\n") == ["the tensors differ", "  missing     a [3]", r"  extra       Layer\nNorm [3]"]


def test_a_value_of_5_000_letters_is_told_by_its_beginning_and_its_length():
    told = str(CgdmerError(f'record a/b: its checksum is "{"1" * 5000}", expected a whole number; correct the header'))
    short = f"{'1' * 80}... (5,000 characters)"
    assert told == f'record a/b: its checksum is "{short}", expected a whole number; correct the header'


def test_names_as_long_as_files_have_and_deep_paths_are_told_whole():
    sentence = f"{'/'.join(['n' * LONGEST_WORD] * 5)} does not exist; fetch the record again"
    assert str(CgdmerError(sentence)) == sentence


def test_of_a_line_without_end_its_beginning_and_its_remedy_are_told():
    told = str(CgdmerError(f"the fields differ ({'a, ' * 10_000}); take another --workdir\n  a table below it"))
    line, table = told.split("\n")
    assert line.startswith("the fields differ (a, a, ") and line.endswith("; take another --workdir")
    assert len(line) <= LONGEST_LINE and table == "  a table below it"
