"""Marks of waves stand below the trace of their lead, at their time to the millimetre; no trace runs through them."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cgdmer_jax.report.ecg_layout import layout_of
from cgdmer_jax.report.ecg_paper import INK, LEADS, ecg_page_svg
from cgdmer_jax.report.ecg_waves import COLOUR, ROOM_MM, SHAPES
from cgdmer_jax.waveform.waves import FoundWave

SVG = "{http://www.w3.org/2000/svg}"
RATE = 100.0
FLAT = np.zeros((12, 1000), np.float32)


def page(waves, signal=FLAT) -> ET.Element:
    return ET.fromstring(ecg_page_svg(signal, RATE, title="t", waves=waves))


def marks(root: ET.Element) -> list[tuple[str, float, float, float]]:
    """(shape, left, width, lowest place) of each mark on the paper, in mm."""
    found = []
    for path in root.find(SVG + "svg").iter(SVG + "path"):
        if path.get("stroke") == COLOUR:
            for steps in path.get("d").split("M")[1:]:
                x, y = map(float, re.match(r"([\d.]+) ([\d.]+)", steps).groups())
                shape = "bracket" if path.get("fill") == "none" else "filled" if path.get("fill") == COLOUR else "open"
                down = 0.9 if re.match(r"[\d. ]+v0.9", steps) else 0.0
                found.append((shape, x, float(re.search(r"h([\d.]+)", steps)[1]), y + down))
    return found


def test_each_wave_stands_at_its_time_below_its_own_lead_in_a_shape_of_its_own():
    waves = {"V2": [FoundWave("P", 5.2, 5.3), FoundWave("QRS", 5.36, 5.44), FoundWave("T", 5.6, 5.8)]}
    bottom = layout_of([]).edges[2] - 0.7  # V2: second row, third column, 5.0 to 7.5 s
    expected = [("open", 5.2, 0.1), ("filled", 5.36, 0.08), ("bracket", 5.6, 0.2)]
    for mark, (shape, onset_s, seconds) in zip(marks(page(waves)), expected, strict=True):
        assert mark == (shape, *(pytest.approx(v, abs=0.011) for v in (15 + 25 * onset_s, 25 * seconds, bottom)))


def test_lead_ii_is_marked_in_its_column_and_in_the_rhythm_strip_and_waves_are_cut_where_a_column_ends():
    waves = {"II": [FoundWave("T", 2.4, 2.6), FoundWave("QRS", 8.0, 8.1)]}
    found = sorted((shape, left, width) for shape, left, width, _ in marks(page(waves)))
    assert found == [("bracket", 75.0, 2.5), ("bracket", 75.0, 5.0), ("filled", 215.0, 2.5)]  # 2.5 s end the column


def test_the_page_says_what_the_marks_are_and_only_where_there_are_some():
    root, plain = page({"I": [FoundWave("P", 0.1, 0.2)]}), page(None)
    told, words = root.find(SVG + "desc").text, [text.text for text in root.iter(SVG + "text")]
    assert all(f"{kind} by {shape}" in told for kind, shape in SHAPES.items())
    assert "found by a model:" in words and {"P", "QRS", "T"} <= set(words)
    assert "found by a model" not in ET.tostring(plain, encoding="unicode") and marks(plain) == []


def test_an_absent_lead_has_no_marks():
    present = np.ones(12, bool)
    present[LEADS.index("aVL")] = False
    svg = ecg_page_svg(FLAT, RATE, title="t", lead_mask=present, waves={"aVL": [FoundWave("P", 2.6, 2.7)]})
    assert marks(ET.fromstring(svg)) == []


@pytest.mark.parametrize("depth_mv", [1.29, 1.4, 2.9, 5.9])
def test_no_trace_reaches_into_the_room_of_the_marks(depth_mv):
    signal = FLAT.copy()
    signal[LEADS.index("V1"), 550] = -depth_mv  # first row
    root = page({"V1": [FoundWave("QRS", 5.45, 5.55)]}, signal)
    traces = [p.get("d") for p in root.iter(SVG + "path") if p.get("stroke") == INK and p.get("stroke-width") == "0.28"]
    places = [[float(point.split()[1]) for point in re.split("[ML]", d)[1:]] for d in traces if "L" in d]
    (lowest,) = [max(y) for y in places if max(y) - min(y) > 1]  # that of V1
    assert lowest <= marks(root)[0][3] + 0.7 - ROOM_MM + 0.01  # a mark stands 0.7 mm above the edge of its row


def test_a_trace_that_is_cut_leaves_the_room_of_the_marks_free_too():
    signal = FLAT.copy()
    signal[:, 550] = -60  # no layout has room for that
    root = page({"V1": [FoundWave("QRS", 5.45, 5.55)]}, signal)
    boxes = [one for one in root.iter(SVG + "svg") if one.get("viewBox", "").startswith("0 ") and one.get("x") == "0"]
    ends = [float(one.get("y")) + float(one.get("height")) for one in boxes]
    assert boxes and min(ends) == pytest.approx(marks(root)[0][3] + 0.7 - ROOM_MM, abs=0.01)
