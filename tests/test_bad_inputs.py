"""Every bad input ends in its exit code and one sentence, and docs/errors.md shows exactly that."""

import re
from pathlib import Path

import pytest

from tests.bad_inputs import CASES, outcome
from tests.write_errors import PAGE, table_line


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.input)
def test_a_bad_input_gets_its_code_and_sentence_and_stands_in_the_docs(case, tmp_path: Path):
    found = outcome(case, tmp_path)
    assert found.code == case.code
    assert re.search(case.words, found.sentence), found.sentence
    assert "Traceback" not in found.sentence
    assert table_line(case, found) in PAGE.read_text().splitlines(), "run python -m tests.write_errors"
