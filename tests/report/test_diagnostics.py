"""diagnostics.json as HTML and text: every figure at its place, nothing invented for what was not measured."""

import pytest

from cgdmer_jax.report.diagnostics import TABLES, diagnostics_section, diagnostics_text
from tests.report.test_page import Page

PROBE = {
    "target": "age <years>", "metric": "r2", "shared": 0.21, "shared_low": 0.18, "shared_high": 0.24,
    "specific": 0.3, "specific_low": None, "specific_high": None, "both": 0.33, "both_low": 0.3, "both_high": 0.36,
    "difference": 0.12, "low": 0.08, "high": 0.16, "shared_mean_absolute_error": 9.5,
    "specific_mean_absolute_error": 9.0, "both_mean_absolute_error": 8.25,
}  # fmt: skip
AUROC = PROBE | {"target": "sex", "metric": "auroc", "difference": None, "low": None, "high": None}
AUROC |= {f"{part}_mean_absolute_error": None for part in ("shared", "specific", "both")}


@pytest.fixture
def document():
    made = {table.field: [] for table in TABLES}
    made["probes"] = [PROBE, AUROC]
    gap = {"distance": 1.0, "spread": 0.5, "classifier_auroc": 0.99, "classifier_accuracy": 0.9, "n": 5}
    made["gap"] = [{"features": "shared", "centred": centred} | gap for centred in (False, True)]
    return made | {"step": 30, "store": "ptbxl", "split": "validation", "command": "python -m x --a=<b>"}


def test_the_section_is_well_formed_and_escapes_what_it_is_given(document):
    text = diagnostics_section(document)
    page = Page(text)
    assert not page.open and "age <years>" in page.words and "<years>" not in text
    assert [tag for tag, _ in page.tags].count("table") == 3  # gap, probes, errors of the regressions
    assert {"yes", "no"} <= set(page.words)


def test_figures_have_their_interval_and_their_sign_and_gaps_say_so(document):
    text = diagnostics_text(document)
    assert "0.210 [0.180, 0.240]" in text and "+0.120 [+0.080, +0.160]" in text
    line = next(line for line in text.splitlines() if line.startswith("sex"))
    assert line.rstrip().endswith("n/a")
    errors = text.split("Mean absolute error")[1]
    assert "8.25" in errors and "sex" not in errors  # a row without any figure of a table is not in it


def test_a_document_without_a_figure_has_no_section(document):
    empty = document | {table.field: [] for table in TABLES}
    assert diagnostics_section(empty) == "" and diagnostics_text(empty) == ""
