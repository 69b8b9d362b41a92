"""The examples of negation in docs/entities.md: the phrase table reads each as the page says."""

import re

import pytest

from cgdmer_jax.data.text.entities import ABSENT, shipped_table
from tests.small_runs import ROOT

SECTION = (ROOT / "docs/entities.md").read_text(encoding="utf-8").split("## Negation", 1)[1].split("\n## ")[0]
EXAMPLES = [found for found in re.findall(r"^\| (.+) \| (.+) \|$", SECTION, re.MULTILINE) if found[1] != "absent"]


def test_the_page_has_ten_examples_of_each_language():
    german = [words for words, _ in EXAMPLES if re.search(r"\b(keine?|nicht)\b", words)]
    assert (len(EXAMPLES), len(german)) == (20, 10)


@pytest.mark.parametrize(("words", "name"), EXAMPLES)
def test_what_is_denied_is_absent(words, name):
    table = shipped_table()
    found = dict(zip((one.name for one in table.entities), table.findings(words), strict=True))
    assert found[name] == ABSENT
