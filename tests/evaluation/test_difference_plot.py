"""The ablation figure: well-formed, a point a row and panel, at its place on one scale."""

from xml.etree import ElementTree

from cgdmer_jax.evaluation.difference_plot import Point, difference_chart

PANELS = {
    "super": [Point("masked", -0.02, -0.03, -0.01, False), Point("x & y", 0.01, None, None, True)],
    "rhythm": [Point("masked", 0.0, -0.01, 0.01, False), Point("x & y", -0.02, -0.04, 0.0, True)],
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


def test_panels_have_one_scale():
    page = ElementTree.fromstring(difference_chart(PANELS, title="t", note=""))
    x = [float(c.get("cx")) for c in page.findall(f"{SVG}circle")]
    width = x[1] - x[0]  # 0.03 in the first panel
    assert abs((x[2] - x[3]) / width - 2 / 3) < 0.02


def test_a_row_that_a_task_lacks_moves_no_other():
    panels = PANELS | {"rhythm": PANELS["rhythm"][1:]}
    circles = ElementTree.fromstring(difference_chart(panels, title="t", note="")).findall(f"{SVG}circle")
    assert circles[2].get("cy") == circles[1].get("cy")
