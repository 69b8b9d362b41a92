"""The page of one patient: what is probable first, what is labelled always, and no markup from any text."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np

from cgdmer_jax.report.contents import Case, Excerpt, Finding, Neighbour, Neighbours
from cgdmer_jax.report.neighbours import excerpt_of
from cgdmer_jax.report.patient import SHOWN_FINDINGS, case_section
from cgdmer_jax.report.small_ecg import STEPS_PER_MM, small_ecg_svg
from cgdmer_jax.waveform.waves import FoundWave
from tests.report.example import example_tracing

SVG = "{http://www.w3.org/2000/svg}"


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


def test_the_heart_rate_stands_with_how_it_was_measured_or_not_at_all():
    html = page(heart_rate=77.6)
    assert "Heart rate: 78 beats a minute" in html and "median distance between QRS complexes" in html
    assert "Heart rate" not in page(heart_rate=None)


def test_probabilities_are_said_to_be_independent_of_each_other():
    assert "those of findings that exclude each other need not add up to 100 %" in page()


def test_neighbouring_recordings_are_small_ecgs_with_their_reports_beside_the_own():
    signal_uv = (100 * np.random.default_rng(0).normal(size=(3, 1000))).astype(np.int16)
    excerpt = Excerpt(100.0, ("II", "V1", "V5"), signal_uv)
    found = [Neighbour(f"S<{k}>", "AFIB", 0.125, excerpt, "<b>fibrillation" if k else None) for k in range(2)]
    html = page(recordings=near(*found))
    assert html.count("<figure>") == 3 and html.count("drawn to one scale") == 1
    assert "Report: &lt;b&gt;fibrillation" in html and "Report: none, or without clinical text" in html
    assert "Record S&lt;1&gt;" in html and "for comparison" in html and "<b>" not in html


def test_three_leads_are_excerpted_that_were_recorded():
    assert excerpt_of(example_tracing()).leads == ("II", "V1", "V5")
    assert excerpt_of(example_tracing("V1")).leads == ("II", "V5")
    assert excerpt_of(example_tracing("II", "V1", "V5")).leads == ("I", "III", "aVR")
    own = example_tracing()
    np.testing.assert_array_equal(excerpt_of(own).signal_uv, own.signal_uv[[1, 6, 10]])


def steps_of(svg: str) -> list[np.ndarray]:
    """[(x, y)] in steps of each lead's trace."""
    paths = [path.get("d") for path in ET.fromstring(svg).iter(SVG + "path") if "l" in path.get("d")]
    return [np.cumsum(np.array(re.findall(r"-?\d+", d), int).reshape(-1, 2), axis=0) for d in paths]


def test_a_small_ecg_is_half_of_the_usual_scale_and_a_few_kilobytes():
    signal = np.zeros((1, 1000))
    signal[0, 400] = 1.0
    (trace,) = steps_of(small_ecg_svg(signal, 100.0, ("II",), "x"))
    peak = trace[trace[:, 1].argmin()]
    assert trace[0, 1] - peak[1] == 5 * STEPS_PER_MM and peak[0] - trace[0, 0] == 4 * 12.5 * STEPS_PER_MM
    excerpt = excerpt_of(example_tracing())
    assert len(small_ecg_svg(excerpt.signal_mv, excerpt.rate, excerpt.leads, "x")) < 20_000


def test_a_fast_recording_is_thinned_and_keeps_its_peaks():
    signal = np.random.default_rng(0).normal(scale=0.05, size=(1, 10_000))
    signal[0, [1234, 7001]] = 1.5, -1.25  # of one sample each
    (trace,) = steps_of(small_ecg_svg(signal, 1000.0, ("II",), "x"))
    assert len(trace) <= 1000
    baseline = np.median(signal)
    for at, value in ((1234, 1.5), (7001, -1.25)):
        near_it = trace[np.abs(trace[:, 0] - (9 + at / 1000 * 12.5) * STEPS_PER_MM) <= 1]
        heights = -(near_it[:, 1] - np.median(trace[:, 1])) / STEPS_PER_MM / 5
        extreme = heights.max() if value > 0 else heights.min()
        assert abs(extreme - (value - baseline)) < 0.03


def test_an_empty_or_broken_signal_is_drawn_as_a_line_alone():
    for signal in (np.zeros((1, 0)), np.full((1, 50), np.nan)):
        assert steps_of(small_ecg_svg(signal, 100.0, ("II",), "x")) == []


def test_waves_are_drawn_and_explained_where_a_model_marked_them():
    plain, marked = page(), page(waves={"II": (FoundWave("QRS", 0.45, 0.55),)})
    assert "as a model found them" in marked and "found by a model:" in marked
    assert "as a model found them" not in plain and "found by a model:" not in plain
