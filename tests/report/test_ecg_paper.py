"""The paper is true to the millimetre, and shows every lead where a reader looks for it."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

from cgdmer_jax.report import ecg_paper
from cgdmer_jax.report.ecg_layout import HIGHEST_MM, layout_of
from cgdmer_jax.report.ecg_paper import INK, LEADS, RECONSTRUCTED, SHADE, ecg_page_svg

SVG = "{http://www.w3.org/2000/svg}"
RATE = 100.0


def pulses(at_sample=50):
    """[12, 1000]: a 1 mV step of one sample in every lead, `at_sample` of every 2.5 s."""
    signal = np.zeros((12, 1000), np.float32)
    signal[:, at_sample::250] = 1.0
    return signal


def traces(svg, colour, width):
    """[[(x, y)] of each continuous line], in drawing order."""
    lines = []
    for path in ET.fromstring(svg).iter(SVG + "path"):
        if path.get("stroke") == colour and path.get("stroke-width") == width and "h" not in path.get("d"):
            for run in path.get("d").split("M")[1:]:
                lines.append(np.array([[float(v) for v in p.split()] for p in run.split("L")]))
    return lines


def test_one_millivolt_is_10_mm_and_one_second_is_25_mm():
    lines = traces(ecg_page_svg(pulses(), RATE, title="t"), INK, "0.28")
    assert len(lines) == 13
    for line in lines:
        peak = line[:, 1].argmin()
        assert line[0, 1] - line[peak, 1] == pytest.approx(10.0)
        assert line[peak, 0] - line[0, 0] == pytest.approx(0.5 * 25)  # 50 samples at 100 Hz
    assert lines[12][-1, 0] - lines[12][0, 0] == pytest.approx(9.99 * 25)


def test_page_size_and_view_box_are_the_same_millimetres():
    root = ET.fromstring(ecg_page_svg(pulses(), RATE, title="t"))
    width, height = root.get("viewBox").split()[2:]
    assert (root.get("width"), root.get("height")) == (f"{width}mm", f"{height}mm")
    assert float(width) <= 297 and float(height) <= 210  # A4, landscape


def test_calibration_pulse_is_10_mm_high_and_5_mm_wide_in_every_row():
    paths = [p.get("d") for p in ET.fromstring(ecg_page_svg(pulses(), RATE, title="t")).iter(SVG + "path")]
    assert sum("h2.5v-10h5v10h2.5" in d for d in paths) == 4


def test_grid_has_a_line_every_millimetre():
    paths = {
        p.get("stroke"): p.get("d") for p in ET.fromstring(ecg_page_svg(pulses(), RATE, title="t")).iter(SVG + "path")
    }
    for colour, step in ((ecg_paper.FINE, 1), (ecg_paper.COARSE, 5)):
        upright = [int(x) for x in re.findall(r"M(\d+) 0v", paths[colour])]
        assert upright == list(range(0, int(ecg_paper.WIDTH_MM) + 1, step))


def test_each_lead_stands_at_its_place_and_shows_its_own_quarter():
    signal = np.zeros((12, 1000), np.float32)
    signal[LEADS.index("V2"), 500 + 30] = 1.0  # V2: second row, third column, 5.0 to 7.5 s
    signal[LEADS.index("V2"), 100] = 1.0  # in the second that column does not show
    lines = traces(ecg_page_svg(signal, RATE, title="t"), INK, "0.28")
    tall = [line for line in lines if np.ptp(line[:, 1]) > 1]
    assert len(tall) == 1
    peak = tall[0][tall[0][:, 1].argmin()]
    np.testing.assert_allclose(peak, [15 + 5.3 * 25, layout_of([]).baselines[1] - 10])


def test_only_hidden_patches_carry_the_reconstruction_and_the_shade():
    hidden = np.zeros((12, 50), bool)
    hidden[0, 4:6] = True  # lead I, 0.8 to 1.2 s
    svg = ecg_page_svg(pulses(), RATE, title="t", overlay_mv=pulses(), hidden=hidden)
    (line,) = traces(svg, RECONSTRUCTED, "0.32")
    np.testing.assert_allclose([line[0, 0], line[-1, 0]], [15 + 0.8 * 25, 15 + 1.19 * 25], atol=0.011)
    (shade,) = [p for p in ET.fromstring(svg).iter(SVG + "path") if p.get("fill") == SHADE]
    x, width = re.match(r"M([\d.]+) [\d.]+h([\d.]+)", shade.get("d")).groups()
    assert (float(x), float(width)) == (35.0, 10.0)


def test_absent_lead_is_named_but_not_drawn():
    present = np.ones(12, bool)
    present[LEADS.index("aVL")] = False
    svg = ecg_page_svg(pulses(), RATE, title="t", lead_mask=present)
    assert len(traces(svg, INK, "0.28")) == 12
    assert "aVL" in svg and svg.count("not recorded") == 1


def test_gap_breaks_the_line():
    signal = pulses()
    signal[0, 100:120] = np.nan
    assert len(traces(ecg_page_svg(signal, RATE, title="t"), INK, "0.28")) == 14


def test_short_recording_ends_where_it_ends():
    lines = traces(ecg_page_svg(pulses()[:, :300], RATE, title="t"), INK, "0.28")
    assert max(line[:, 0].max() for line in lines) == pytest.approx(15 + 2.99 * 25)


def test_title_is_escaped_and_read_aloud():
    root = ET.fromstring(ecg_page_svg(pulses(), RATE, title='<b> & "x"'))
    title, told = root.find(SVG + "title"), root.find(SVG + "desc")
    assert root.get("role") == "img" and title.text == '<b> & "x"'
    assert (root.get("aria-labelledby"), root.get("aria-describedby")) == (title.get("id"), told.get("id"))


def test_who_does_not_see_the_page_is_told_what_is_on_it():
    present = np.ones(12, bool)
    present[[4, 7]] = False
    told = ET.fromstring(ecg_page_svg(pulses(), RATE, title="t", lead_mask=present)).find(SVG + "desc").text
    assert "10 s at 100 Hz" in told and "25 mm per second and 10 mm per millivolt" in told
    assert "Not recorded: aVL, V2." in told and "model" not in told


def test_two_pages_in_one_document_share_no_id():
    ids = [
        re.findall(' id="(.*?)"', ecg_page_svg(scale * pulses(), RATE, title="t", hidden=hidden))
        for scale in (1, 2)
        for hidden in (None, np.ones((12, 50), bool))
    ]
    assert len({name for page in ids for name in page}) == 4 * 2


def rows_of(svg: str) -> list[tuple[float, float, list[tuple[float, float]]]]:
    """(1 mV in mm, baseline, [lowest and highest place of each trace as it is seen]) of each row, from the svg."""
    root = ET.fromstring(svg)
    inside = {child: parent for parent in root.iter() for child in parent}
    seen = []
    for path in root.iter(SVG + "path"):
        if path.get("stroke-width") == "0.28" and "h" not in path.get("d"):
            y = [float(point.split()[1]) for point in re.split("[ML]", path.get("d"))[1:]]
            box = inside[path].get("viewBox")
            top, height = map(float, box.split()[1::2]) if box else (0, 1000)
            seen.append((max(min(y), top), min(max(y), top + height)))
    pulses = [re.match(r"M2.5 ([\d.]+)h2.5v-([\d.]+)h5", p.get("d")) for p in root.iter(SVG + "path")]
    marks = [(float(m[2]), float(m[1])) for m in pulses if m]
    # Drawn row by row: four rows of leads, then the rhythm strip.
    parts = [seen[:4], seen[4:8], seen[8:12], seen[12:]]
    return [(gain, baseline, traces) for (gain, baseline), traces in zip(marks, parts, strict=True)]


@pytest.mark.parametrize(
    ("scale", "gain", "said"),
    [
        ({}, 10, ""),
        ({"V4": 2.4}, 10, "rows further apart than usual"),
        ({"V2": -3.0}, 10, "rows further apart than usual"),
        ({"V1": -3.0, "V2": 3.5, "V3": -3.0}, 5, "drawn at 5 mm/mV, half of the usual gain"),
        ({"II": 30.0}, 10, "cut at the edge of its row"),
        ({"II": 30.0, "V2": -2.5}, 10, "rows further apart than usual; cut at the edge of its row"),
    ],
)
def test_no_trace_is_drawn_through_another_row_and_the_sheet_says_how(scale, gain, said):
    """Rows as they are seen never share a height; every voltage that is not cut is true to the pulse beside it."""
    signal = pulses().astype(np.float64)
    for lead, factor in scale.items():
        signal[LEADS.index(lead)] *= factor
    svg = ecg_page_svg(signal, RATE, title="t")
    rows = rows_of(svg)
    assert {row[0] for row in rows} == {gain}
    for (_, _, above), (_, _, below) in pairwise(rows):
        assert max(high for _, high in above) <= min(low for low, _ in below)
    words = ("rows further apart", "half of the usual gain", "cut at the edge")
    assert [word for word in words if word in svg] == [word for word in words if word in said]
    assert (
        all(part in svg for part in said.split("; ")) and f"{gain} mm/mV" in svg and f"{gain} mm per millivolt" in svg
    )
    for (_, baseline, seen), leads in zip(rows, [*ecg_paper.ROWS, ("II",)], strict=True):
        for lead, (low, high) in zip(leads, seen, strict=True):
            factor = scale.get(lead, 1.0)
            if abs(factor) < 30:
                place = baseline - gain * factor
                assert (low if factor > 0 else high) == pytest.approx(place, abs=0.01), lead


def test_a_prediction_that_left_the_numbers_stays_in_its_row_too():
    made = pulses() * 50
    svg = ecg_page_svg(pulses(), RATE, title="t", overlay_mv=made, hidden=np.ones((12, 50), bool))
    assert svg.count("prediction cut at the edge") == 13 and "10 mm/mV" in svg
    boxes = [one for one in ET.fromstring(svg).iter(SVG + "svg") if one.get("viewBox") and one.get("y")]
    assert [one.find(SVG + "path").get("stroke") for one in boxes] == [RECONSTRUCTED] * 13


def test_the_highest_page_still_fits_on_a4_landscape_with_its_words():
    for up in np.linspace(0, 6, 40):
        layout = layout_of([ecg_paper.Extent(row, up, up / 2) for row in range(4)])
        assert layout.height <= HIGHEST_MM
        assert all(edge % 5 == 0 for edge in (*layout.edges, *layout.baselines))
