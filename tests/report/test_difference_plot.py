"""The ablation figure: well-formed, a point a row and panel, at its place on one scale."""

from xml.etree import ElementTree

from cgdmer_jax.report.difference_plot import Difference, difference_chart

PANELS = {
    "super": [Difference("masked", -0.02, -0.03, -0.01, False), Difference("x & y", 0.01, 0.0, 0.02, True)],
    "rhythm": [Difference("masked", 0.0, -0.01, 0.01, False), Difference("x & y", -0.02, -0.04, 0.0, True)],
}
SVG = "{http://www.w3.org/2000/svg}"


def test_every_row_has_a_point_in_every_panel_hollow_where_one_seed_is_behind_it():
    page = ElementTree.fromstring(difference_chart(PANELS, title="a < b", note="n"))
    circles = page.findall(f"{SVG}circle")
    assert len(circles) == 4
    assert [c.get("fill") == "#ffffff" for c in circles] == [False, True, False, True]
    assert circles[0].get("cy") == circles[2].get("cy") != circles[1].get("cy")
    words = [t.text for t in page.findall(f"{SVG}text")]
    assert {"a < b", "x & y", "super", "rhythm", "0"} <= set(words)


def test_a_point_without_an_interval_is_a_cross():
    """In place of the dot and the line of its interval; the scale holds it all the same."""
    bare = {"super": [PANELS["super"][0], Difference("x & y", 0.01, None, None, False)]}
    panels = {"super": PANELS["super"]}, bare
    pages = [ElementTree.fromstring(difference_chart(p, title="t", note="")) for p in panels]
    assert [len(page.findall(f"{SVG}circle")) for page in pages] == [2, 1]
    crosses = [[p for p in page.findall(f"{SVG}path") if p.get("d").count("L") == 2] for page in pages]
    assert [len(found) for found in crosses] == [0, 1]


def test_panels_have_one_scale():
    page = ElementTree.fromstring(difference_chart(PANELS, title="t", note=""))
    x = [float(c.get("cx")) for c in page.findall(f"{SVG}circle")]
    width = x[1] - x[0]  # 0.03 in the first panel
    assert abs((x[2] - x[3]) / width - 2 / 3) < 0.02


def test_a_row_that_a_task_lacks_moves_no_other():
    panels = PANELS | {"rhythm": PANELS["rhythm"][1:]}
    circles = ElementTree.fromstring(difference_chart(panels, title="t", note="")).findall(f"{SVG}circle")
    assert circles[2].get("cy") == circles[1].get("cy")
