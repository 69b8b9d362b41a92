"""The sentence of an error: what it quotes of a file cannot steer the terminal that shows it."""

import pytest

from cgdmer_jax.errors import CgdmerError, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("record \x1b[2J7", r"record \x1b[2J7"),
        ("\u202e7 drocer", r"\u202e7 drocer"),
        ("a\x00b\x7f\x9b", r"a\x00b\x7f\x9b"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("half a pair \udcff", r"half a pair \udcff"),
        ("Übersicht 心電図\u00a0µV \U0001f600\n\tnext line", "Übersicht 心電図\u00a0µV \U0001f600\n\tnext line"),
    ],
)
def test_what_would_steer_a_terminal_is_spelled_out_and_nothing_else(text, shown):
    assert visible(text) == shown == str(CgdmerError(text))
