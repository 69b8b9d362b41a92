"""Plots of the report: bars, curves and points stand at their values, on round axes."""

import pytest

from cgdmer_jax.report import plots
from cgdmer_jax.report.curves import curves_section
from tests.report.test_page import Page


def test_bar_ends_where_its_value_is():
    bars = [plots.Bar("A", 0.75, None, None, ""), plots.Bar("B", 1.0, None, None, "")]
    svg = plots.bar_chart(bars, plots.bar_ticks(bars), title="t")
    widths = [float(a["width"]) for tag, a in Page(svg).tags if tag == "rect"]
    assert widths[0] == pytest.approx(widths[1] / 2)


def test_a_bar_below_chance_goes_to_the_left_of_the_line_at_chance_on_the_axis_of_all_charts():
    below, above = plots.Bar("A", 0.3, None, None, ""), plots.Bar("B", 0.9, 0.8, 0.95, "")
    ticks = plots.bar_ticks([below, above])
    assert ticks[0] <= 0.3 and ticks[-1] == 1.0
    pages = [Page(plots.bar_chart([bar], ticks, title="t")) for bar in (below, above)]
    lines = [float(a["d"][1:].split()[0]) for p in pages for tag, a in p.tags if a.get("class") == "chance"]
    (left,), (right,) = ([a for tag, a in p.tags if tag == "rect"] for p in pages)
    assert lines[0] == lines[1] == pytest.approx(float(left["x"]) + float(left["width"]), abs=0.11)
    assert float(right["x"]) == pytest.approx(lines[1], abs=0.11)
    assert float(left["width"]) == pytest.approx(float(right["width"]) / 2, abs=0.11)  # 0.2 and 0.4 from chance


def test_a_curve_has_three_points_and_fewer_are_marks_beside_one():
    two = plots.line_chart({"training": ([1, 2], [0.3, 0.2])}, title="t", x_label="step")
    assert two == ""
    training = ([1, 2, 3], [0.3, 0.2, 0.1])
    tags = Page(plots.line_chart({"training": training, "validation": ([1, 3], [1, 1])}, title="t", x_label="s")).tags
    assert [tag for tag, _ in tags].count("rect") == 2 + 1  # marks of the second series, in the legend too
    assert not [tag for tag, _ in tags if tag == "circle"]
    dashes = [attrs["stroke-dasharray"] for tag, attrs in tags if tag == "path" and "stroke-dasharray" in attrs]
    assert dashes == [plots.DASHES[0]] * 2  # the first series and its place in the legend


def test_panels_without_a_curve_are_named_and_without_any_there_is_no_section():
    points = [{"step": k, "loss": 1.0 / (k + 1)} for k in range(3)]
    points[1] |= {"validation_ecg_to_text_recall_at_10": 0.1}
    assert "Fewer than three points, so no curve: Retrieval." in curves_section(points)
    assert curves_section(points[:2]) == ""


def test_points_stand_at_their_values_and_undefined_ones_are_left_out():
    series = {"native": [plots.Point(0.8, 0.7, 0.9), plots.Point()], "zero fill": [plots.Point(0.7), plots.Point(0.9)]}
    page = Page(plots.category_chart(["12 leads", "II"], series, title="AUROC"))
    discs = [float(a["cy"]) for tag, a in page.tags if tag == "circle"]
    squares = [float(a["y"]) + 4 for tag, a in page.tags if tag == "rect"]
    assert len(discs) == 1 + 1 and len(squares) == 2 + 1  # the last of each is the legend's
    assert discs[0] == pytest.approx((squares[0] + squares[1]) / 2, abs=0.2)
    assert {"12 leads", "II", "native", "zero fill"} <= set(page.words)
    assert plots.category_chart(["II"], {"native": [plots.Point()]}, title="AUROC") == ""


def test_ticks_are_round_and_enclose_the_range():
    for low, high in ((0.0, 1.0), (0.37, 0.91), (0, 2960), (-3.2, 8), (5, 5), (0, 0)):
        ticks = plots.ticks_around(low, high)
        assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 9
