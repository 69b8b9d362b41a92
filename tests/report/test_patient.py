"""The page of one patient: what is probable first, what is labelled always, and no markup from any text."""

from dataclasses import replace

from cgdmer_jax.report.contents import Case, Finding, Neighbour, Neighbours
from cgdmer_jax.report.patient import SHOWN_FINDINGS, case_section
from tests.report.example import example_tracing


def findings(n: int) -> tuple[Finding, ...]:
    """Probabilities fall with the number; only the last is the record's own label."""
    return tuple(Finding("t", f"C{k}", "name", 1 / (k + 2), 0.25, k == n - 1) for k in range(n))


def near(*found: Neighbour) -> Neighbours:
    return Neighbours("the 9 known", 0.875, found)


CASE = Case(example_tracing(), findings(3), (), "sinus rhythm", near(), near(), {"Fold": "fold 10"})


def page(**changes) -> str:
    return case_section(replace(CASE, **changes), "versions of everything")


def test_the_most_probable_findings_are_shown_in_order_and_the_labelled_one_whatever_its_probability():
    html = page(findings=findings(20)[::-1])
    at = [html.find(f"C{k}:") for k in range(20)]
    assert at[:SHOWN_FINDINGS] == sorted(at[:SHOWN_FINDINGS]) and -1 not in at[:SHOWN_FINDINGS]
    assert at[SHOWN_FINDINGS:-1] == [-1] * 7 and at[-1] > at[SHOWN_FINDINGS - 1]
    assert html.count('class="own"') == 1 and "50.0 %" in html and "25.0 %" in html


def test_a_finding_that_cannot_be_calibrated_is_shown_only_when_it_is_the_label():
    html = page(findings=(Finding("t", "RARE", "x", None, 0.0, True), Finding("t", "OTHER", "x", None, 0.0, False)))
    assert "RARE" in html and "n/a" in html and "OTHER" not in html


def test_a_probability_is_never_told_as_certain():
    probabilities = enumerate((0.99999, 0.00001, 0.5))
    html = page(findings=tuple(Finding("t", f"C{k}", "x", p, 0.0, False) for k, p in probabilities))
    assert "&gt; 99.9 %" in html and "&lt; 0.1 %" in html and "100.0 %" not in html


def test_remarks_and_their_absence_are_said():
    assert "<li>absent: V6</li><li>gaps</li>" in page(remarks=("absent: V6", "gaps"))
    assert "nothing hints at exchanged arm electrodes" in page()


def test_texts_of_reports_are_escaped():
    html = page(reports=near(Neighbour("report 1", "<script>", 0.125)), report="<b>", origin={"<i>": "<u>"})
    assert "<script>" not in html and "&lt;script&gt;" in html and "0.125" in html
    assert not {"<b>", "<i>", "<u>"} & {html[k : k + 3] for k in range(len(html))}


def test_neighbours_say_among_what_and_how_far_the_others_are():
    html = page(recordings=near(Neighbour("S1", "AFIB", 0.125)))
    assert "among the 9 known" in html and "median of all: 0.875" in html


def test_a_recording_without_a_report_and_a_store_without_any_are_told():
    html = page(report=None, reports=None)
    assert "without clinical text" in html and "Nearest reports" not in html and "Nearest recordings" in html


def test_a_distance_without_a_direction_reads_so():
    html = page(reports=Neighbours("the 9 known", None, (Neighbour("report 1", "flat", None),)))
    assert "median of all: n/a" in html and '<td class="figure">n/a</td>' in html and "nan" not in html


def test_the_page_says_what_versions_its_figures_come_from():
    assert "versions of everything" in page()
