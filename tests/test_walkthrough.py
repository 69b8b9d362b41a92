"""docs/walkthrough.md names what is there, and as many lines as half an hour holds."""

import re

import pytest

from benchmarks.code_size import ROOT, WALK, lines_of, walk
from cgdmer_jax.errors import CgdmerError

HALF_AN_HOUR = 1350  # lines, at 45 a minute


def test_everything_named_is_there_and_the_stated_number_of_lines_is_that_of_the_code():
    page = WALK.read_text()
    stated = int(re.search(r"about ([\d,]+) lines", page)[1].replace(",", ""))
    counted = sum(lines for _, lines in walk(page))
    assert abs(counted - stated) <= 0.1 * counted, f"the walk is {counted} lines, the page says {stated}"
    assert counted <= HALF_AN_HOUR
    linked = set(re.findall(r"\.\./([\w/]+\.py)", page))
    assert linked == {name.split(":")[0] for name, _ in walk(page)}


def test_lines_are_those_of_the_named_function_and_a_link_without_names_is_the_whole_file():
    page = "[a](../cgdmer_jax/errors.py) and [b](../cgdmer_jax/batch.py)\n   (`Batch.check`, and `_check_values`)"
    (whole, n), (check, _), (values, m) = walk(page)
    assert (whole, n) == ("cgdmer_jax/errors.py", lines_of(ROOT / "cgdmer_jax/errors.py"))
    assert (check, values) == ("cgdmer_jax/batch.py:Batch.check", "cgdmer_jax/batch.py:_check_values")
    text = (ROOT / "cgdmer_jax/batch.py").read_text()
    assert m == len(text[text.index("def _check_values") :].rstrip().splitlines())


def test_a_name_that_is_gone_is_told():
    with pytest.raises(CgdmerError, match=r"names Batch\.chek in cgdmer_jax/batch\.py, which is not there$"):
        walk("[b](../cgdmer_jax/batch.py) (`Batch.chek`)")
