"""The report as a browser shows and prints it: true millimetres, nothing from the network, no error."""

import numpy as np
import pytest

from cgdmer_jax.report.ecg_paper import FINE, LEADS, ROWS, ecg_page_svg
from cgdmer_jax.report.make import LARGEST_BYTES
from tests.report.chromium import CHROMIUM, NAMES, measure, printed, visit
from tests.report.example import example_rows, example_signal, write_example

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on the PATH: the report is opened in no browser"
)

# Boxes before stroke, placed on the screen, in CSS millimetres.
MEASURE = """
const mm = px => px * 25.4 / 96;
const on = (e, p) => { const q = p.matrixTransform(e.getScreenCTM()); return [mm(q.x), mm(q.y)]; };
const box = e => { const b = e.getBBox(), p = x => new DOMPoint(...x);
  const [x, y] = on(e, p([b.x, b.y])), [r, d] = on(e, p([b.x + b.width, b.y + b.height]));
  return {x, y, width: r - x, height: d - y}; };
const along = (e, length) => on(e, e.getPointAtLength(length));
const sheets = [...document.querySelectorAll("figure.ecg > svg")].map(svg => {
  const paths = [...svg.querySelectorAll("path")], d = e => e.getAttribute("d");
  const grid = paths.find(e => e.getAttribute("stroke") == "FINE"), paper = grid.ownerSVGElement.height.baseVal.value;
  return {
    pulses: paths.filter(e => d(e).includes("h5v10")).map(e => ({...box(e), top: [along(e, 12.5), along(e, 17.5)]})),
    small: along(grid, paper + 0.001)[0] - along(grid, 0)[0],
    labels: [...svg.querySelectorAll("svg svg text[font-weight=bold]")].map(e => [e.textContent, ...on(e,
      new DOMPoint(e.x.baseVal[0].value, e.y.baseVal[0].value))]),
    traces: paths.filter(e => e.getAttribute("stroke-width") == "0.28" && d(e).includes("L")).map(box),
  }; });
const rgb = words => words.match(/[\\d.]+/g).map(Number);
const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => { const [r, g, b] = c.map(v => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
  if (c.length == 3 || c[3] > 0) return c; } return [255, 255, 255]; };
const texts = [...document.body.querySelectorAll("*")].filter(e => e.tagName != "SCRIPT" && e.tagName != "PRE" &&
  [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && !e.matches("title, desc"));
const contrast = texts.map(e => { const style = getComputedStyle(e);
  const a = light(rgb(e instanceof SVGElement ? style.fill : style.color)), b = light(behind(e));
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)]; });
const skip = document.querySelector(".skip"), hidden = skip.getBoundingClientRect().right;
// A headless window has the focus or not, as it comes: the rule is applied by hand.
const rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules]);
skip.style.cssText = rules.find(rule => rule.selectorText == ".skip:focus").style.cssText;
return {sheets, contrast: contrast.sort((a, b) => a[0] - b[0])[0], n_texts: texts.length,
  skip: [hidden, skip.getBoundingClientRect().left], fetched: performance.getEntriesByType("resource").map(e => e.name),
  wider: document.documentElement.scrollWidth - document.documentElement.clientWidth};
""".replace("FINE", FINE)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_example(tmp_path_factory.mktemp("chromium"), example_rows()) / "report.html"


@pytest.fixture(scope="module")
def shown(page):
    return measure(page, MEASURE)


@pytest.fixture(scope="module")
def on_paper(page):
    """(console of the page as it is, sizes of its printed pages, lines drawn on them)."""
    pdf = page.with_name("report.pdf")
    _, console = visit(page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    return console, *printed(pdf.read_bytes())


def test_nothing_is_said_on_the_console_and_nothing_is_fetched(shown, on_paper, page):
    assert shown[1] == [] and on_paper[0] == []
    assert shown[0]["fetched"] == []
    assert page.stat().st_size < LARGEST_BYTES


def test_a_script_and_a_picture_from_the_network_are_refused_and_seen_by_the_check_above(page):
    planted = page.with_name("planted.html")
    foreign = '<script>console.error("ran")</script><img src="http://127.0.0.1:9/x.png" alt=""></body>'
    text = page.read_text(encoding="utf-8").replace("</body>", foreign)
    planted.write_text(text, encoding="utf-8")
    _, console = visit(planted, "--dump-dom")
    told = "\n".join(console)
    assert "script-src" in told and "img-src" in told and told.count("violates") == 2 and '"ran"' not in told


def test_an_error_of_a_script_is_seen_by_the_check_above(page):
    _, console = measure(page, 'console.error("planted"); return {};')
    assert len(console) == 1 and "planted" in console[0]


def test_a_calibration_pulse_is_10_mm_high_and_5_mm_wide_and_a_small_box_1_mm(shown):
    sheets = shown[0]["sheets"]
    assert len(sheets) == 2 and all(len(sheet["pulses"]) == 4 for sheet in sheets)
    for sheet in sheets:
        assert sheet["small"] == pytest.approx(1, abs=0.01)
        for pulse in sheet["pulses"]:
            (left, y), (right, other) = pulse["top"]
            assert pulse["height"] == pytest.approx(10, abs=0.01) and right - left == pytest.approx(5, abs=0.01)
            assert y == pytest.approx(other, abs=0.01) and y == pytest.approx(pulse["y"], abs=0.01)


def test_columns_of_2_5_s_are_62_5_mm_wide_and_the_leads_stand_in_the_usual_order(shown):
    labels = shown[0]["sheets"][1]["labels"]
    rows = sorted({round(y, 1) for _, _, y in labels})
    names = [[name for name, x, y in sorted(labels, key=lambda label: label[1]) if round(y, 1) == row] for row in rows]
    assert names == [*map(list, ROWS), ["II"]]
    first = sorted(x for _, x, y in labels if round(y, 1) == rows[0])
    np.testing.assert_allclose(np.diff(first), 62.5, atol=0.01)
    apart = np.diff(rows)
    np.testing.assert_allclose(apart, 5 * np.round(apart / 5), atol=0.11)  # on the lines of the large boxes
    assert (apart > 29.8).all()


def test_the_rhythm_strip_is_as_long_and_as_high_as_its_signal(shown):
    lead_ii = example_signal()[LEADS.index("II")]
    strip = max(shown[0]["sheets"][1]["traces"], key=lambda trace: trace["width"])
    assert strip["width"] == pytest.approx(9.99 * 25, abs=0.02)  # 1,000 samples at 100 Hz
    assert strip["height"] == pytest.approx(np.ptp(lead_ii) * 10, abs=0.02)


def test_the_page_prints_on_a4_with_each_ecg_on_a_landscape_sheet(on_paper):
    _, sizes, _ = on_paper
    kinds = [tuple(round(side) for side in size) for size in sizes]
    assert set(kinds) == {(210, 297), (297, 210)}
    assert kinds.count((297, 210)) == 2


def test_the_ecg_is_printed_in_true_millimetres(on_paper):
    _, _, lines = on_paper
    pulses = [line for line in lines if _is_pulse(line)]
    assert len(pulses) == 2 * 4
    for pulse in pulses:
        assert np.ptp(pulse[:, 1]) == pytest.approx(10, abs=0.03)
        assert pulse[3, 0] - pulse[2, 0] == pytest.approx(5, abs=0.03)


def _is_pulse(line: np.ndarray) -> bool:
    """Five strokes: along, up, along, down, along, whatever the scale."""
    steps = np.diff(line, axis=0)
    level = np.abs(steps[:, 1]) < 1e-3
    return len(steps) == 5 and level.tolist() == [True, False, True, False, True] and bool(steps[1, 1] > 0)


def test_all_text_can_be_read_against_its_ground(shown):
    (least, words), n = shown[0]["contrast"], shown[0]["n_texts"]
    assert n > 100 and least >= 4.5, words  # WCAG AA


def test_the_skip_link_is_out_of_sight_until_it_has_the_focus(shown):
    right, left = shown[0]["skip"]
    assert right < 0 <= left


# What reaches beyond the window, but for the insides of boxes that scroll.
CUT = """
const scrolled = e => e.parentElement && e.parentElement.closest(".wide"), edge = document.documentElement.clientWidth;
const there = [...document.body.querySelectorAll("*")].filter(e => !e.closest(".skip, pre, script"));
const beyond = there.filter(e => !scrolled(e) && !e.closest("svg svg") && e.getBoundingClientRect().right > edge + 0.5);
const boxes = [...document.querySelectorAll(".wide")].filter(e => e.scrollWidth > e.clientWidth);
return {edge, beyond: beyond.map(e => e.tagName + " " + e.textContent.slice(0, 40)), n: there.length,
  wider: document.documentElement.scrollWidth - edge,
  fixed: boxes.filter(e => getComputedStyle(e).overflowX != "auto" || e.tabIndex != 0).length, scrolls: boxes.length,
  captions: [...document.querySelectorAll("caption span")].filter(e => e.getBoundingClientRect().right > edge).length};
"""


@pytest.mark.parametrize("width", [500, 800, 1200])
def test_nothing_is_cut_at_any_width_and_a_wide_table_scrolls_in_its_own_box(page, width):
    found, _ = measure(page, CUT, width=width)
    assert found["edge"] == width and found["n"] > 500
    assert (found["beyond"], found["wider"], found["captions"], found["fixed"]) == ([], 0, 0, 0)
    assert width > 500 or found["scrolls"]  # the table of missing leads: the case that the rule is for


def test_nothing_is_drawn_beyond_the_edges_of_a_printed_sheet(on_paper):
    _, sizes, lines = on_paper
    width, height = np.max(sizes, axis=0)
    ends = np.concatenate(lines)
    assert ends.min() >= 0 and ends[:, 0].max() <= width and ends[:, 1].max() <= height


def test_every_printed_sheet_has_a_head_with_the_record_and_its_number(page):
    script = """
const rules = [...document.styleSheets].flatMap(s => [...s.cssRules]).filter(r => r instanceof CSSPageRule);
return rules.map(r => r.cssText);
"""
    (first, *_), _ = measure(page, script)
    assert "Record 7" in first and "CG-DMER <nano>" in first and "counter(page)" in first


def test_the_page_is_not_wider_than_a_usual_window(shown):
    assert shown[0]["wider"] == 0


def test_a_long_head_of_an_ecg_is_set_in_smaller_letters_and_not_cut(tmp_path):
    """Reports as they are written; the usual head keeps its size."""
    report = "Sinus rhythm at 63 bpm. Without evidence of anterior myocardial infarction. RSR' in V1. "
    heads = {"usual": ("Record 7", "female, 63 years"), "long": ("Record " + "p1000/s4000/" * 20, 4 * report)}
    svgs = [ecg_page_svg(example_signal(), 100, title=title, subtitle=words) for title, words in heads.values()]
    page = tmp_path / "heads.html"
    page.write_text(f"<meta content=\"default-src 'none'\"><body>{''.join(svgs)}</body>", encoding="utf-8")
    script = """
return [...document.querySelectorAll("body > svg")].map(svg => [...svg.children].filter(e => e.tagName == "text")
  .slice(0, 2).map(e => [parseFloat(e.getAttribute("font-size")), e.getBBox().x + e.getBBox().width]));
"""
    (usual, long), _ = measure(page, script)
    assert [size for size, _ in usual] == [4.2, 3.2]
    for size, right in long:
        assert 1 < size < 3 and 200 < right < 280  # the page is 280 mm wide
