"""The paper is true to the millimetre, and shows every lead where a reader looks for it."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cgdmer_jax.report import ecg_paper
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
        assert upright == list(range(0, int(ecg_paper.PAPER_MM[0]) + 1, step))


def test_each_lead_stands_at_its_place_and_shows_its_own_quarter():
    signal = np.zeros((12, 1000), np.float32)
    signal[LEADS.index("V2"), 500 + 30] = 1.0  # V2: second row, third column, 5.0 to 7.5 s
    signal[LEADS.index("V2"), 100] = 1.0  # in the second that column does not show
    lines = traces(ecg_page_svg(signal, RATE, title="t"), INK, "0.28")
    tall = [line for line in lines if np.ptp(line[:, 1]) > 1]
    assert len(tall) == 1
    peak = tall[0][tall[0][:, 1].argmin()]
    np.testing.assert_allclose(peak, [15 + 5.3 * 25, ecg_paper.baseline_mm(1) - 10])


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


def test_a_trace_that_leaves_the_paper_is_said_to():
    signal = pulses()
    assert "leaves the paper" not in ecg_page_svg(2.4 * signal, RATE, title="t")
    signal[LEADS.index("V4")] *= 3
    assert ecg_page_svg(signal, RATE, title="t").count("leaves the paper") == 1
