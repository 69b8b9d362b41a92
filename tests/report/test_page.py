"""report.html: well-formed, self-contained, complete, and readable by a screen reader."""

import dataclasses
import json
import unicodedata
from html.parser import HTMLParser
from itertools import pairwise
from math import sqrt

import pytest

from cgdmer_jax.metrics.results import plain_row
from cgdmer_jax.report import page, plots
from cgdmer_jax.report.curves import curves_section
from cgdmer_jax.report.first_table import results_section, text_table
from cgdmer_jax.report.sections import sections
from tests.metrics.test_results import SETTING
from tests.report.example import example_contents, example_rows, write_example

VOID = {"meta", "br", "link", "img", "rect", "path"}


class Page(HTMLParser):
    """Collects tags, attributes and text; fails on a tag that is closed out of order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def rows():
    return example_rows()


@pytest.fixture(scope="module")
def written(rows, tmp_path_factory):
    folder = write_example(tmp_path_factory.mktemp("run"), rows)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_is_well_formed(written):
    assert Page(written).open == []


def test_page_needs_nothing_from_outside_and_runs_no_script(written):
    page = Page(written)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    assert not any({"src", "onload", "onclick"} & attrs.keys() for _, attrs in page.tags)
    assert "@import" not in written and "url(" not in written
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in policy and "http" not in policy and "script" not in policy


def test_every_link_leads_to_a_place_in_the_page_and_every_section_is_in_the_contents(written):
    page = Page(written)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    links = [attrs["href"] for _, attrs in page.tags if "href" in attrs]
    assert len(ids) == len(set(ids)) and all(link[0] == "#" and link[1:] in ids for link in links)
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "h2"]
    assert links == ["#report", *("#" + name for name in sections)]
    assert {"results", "one-patient", "training"} <= set(sections)
    named = [a[key] for _, a in page.tags for key in ("aria-labelledby", "aria-describedby") if key in a]
    assert len(named) == 4 and set(named) <= set(ids)


def test_headings_go_down_one_level_at_a_time_from_a_single_first(written):
    levels = [int(tag[1]) for tag, _ in Page(written).tags if tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 and levels.count(1) == 1 and 3 in levels
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_names_in_the_first_table_are_explained_where_they_occur(written):
    assert "<dt>random weights</dt>" in written and "<dt>zero shot</dt>" not in written


def test_page_says_that_it_is_no_medical_device(written):
    assert "research software, not a medical device" in written.lower()


def test_table_shows_value_and_interval_of_each_row(written, rows):
    for row in rows:
        if row["class"] == "macro_ge10" and row["metric"] == "auroc":
            shown = f'{row["value"]:.3f} <span class="interval">[{row["low"]:.3f}, {row["high"]:.3f}]</span>'
            assert shown in written
    (difference,) = [row for row in rows if row["metric"] == "auroc_difference"]
    assert f"{difference['value']:+.3f}" in written and "minus random weights" in written
    assert "91.2 %" in written


def test_names_are_escaped(written):
    assert "<nano>" not in written and "MI<2" not in written
    words = " ".join(Page(written).words)
    assert "CG-DMER <nano>" in words and "MI<2" in words and "synthetic & small" in words


def test_tables_have_headers_and_captions_and_plots_have_names(written):
    page = Page(written)
    count = [tag for tag, _ in page.tags].count
    assert count("table") == count("caption") == 8
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    named = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(named) == 14  # curve, bars of one task, missing leads of four, two ECGs, six small ones
    assert all("aria-label" in attrs or "aria-labelledby" in attrs for attrs in named)
    assert page.tags[0] == ("html", {"lang": "en"})


def test_undefined_class_is_said_to_be_so(written):
    assert "undefined" in written


def test_text_table_holds_the_same_figures(rows):
    text = text_table(rows)
    macro = [r for r in rows if r["class"] == "macro_ge10" and r["metric"] == "auroc" and r["evaluation"] == "probe"]
    (row,) = [r for r in macro if r["method"] == "cgdmer"]
    assert f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in text
    assert text.splitlines()[0].split() == ["protocol", "evaluation", "features", "super"]


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


def test_classes_have_their_names_and_those_of_few_positives_no_interval():
    rows = [dict(row) for row in example_rows() if row["evaluation"] == "probe" and row["method"] == "cgdmer"]
    few, names = 9, {"super": {"NORM": "normal <ECG>"}}
    for row in rows:
        if row["class"] == "MI<2":
            row["n_positive"] = few
    (chart,) = [part for part in sections(rows, "cgdmer", names) if "<h2>Classes" in part]
    assert "NORM: normal &lt;ECG&gt;" in chart and "MI&lt;2" in chart and f"n+ {few}" in chart
    assert chart.count("v6M") == 1  # whiskers of NORM alone
    assert "dashed line at 0.5 is chance" in chart and "fewer than 10 of them no interval" in chart
    (plain,) = [part for part in sections(rows, "cgdmer", {}) if "<h2>Classes" in part]
    assert "NORM</text>" in plain


@pytest.mark.parametrize(("share", "n", "side"), [(0.912, 150, "above"), (0.1, 40, "below"), (0.55, 20, "not told")])
def test_a_share_of_the_negation_test_stands_beside_chance_with_wilson_s_interval(share, n, side):
    row = plain_row(SETTING, "affirmed_share", "NORM", share, n=300, n_positive=n)
    html = results_section([row], "cgdmer", {})
    assert "Chance is 50 %" in html and f"{side}" in html and "chance</td>" in html
    # Wilson 1927, written out.
    hits, z = round(share * n), 1.959963984540054
    centre, half = hits / n + z * z / 2 / n, z * sqrt(hits / n * (1 - hits / n) / n + z * z / 4 / n / n)
    low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in html


def test_a_share_without_positives_is_told():
    row = plain_row(SETTING, "affirmed_share", "NORM", float("nan"), n=300, n_positive=0)
    assert "no positives" in results_section([row], "cgdmer", {})


def test_a_curve_has_three_points_and_fewer_are_marks_beside_one():
    two = plots.line_chart({"training": ([1, 2], [0.3, 0.2])}, title="t", x_label="step")
    assert two == ""
    training = ([1, 2, 3], [0.3, 0.2, 0.1])
    tags = Page(plots.line_chart({"training": training, "validation": ([1, 3], [1, 1])}, title="t", x_label="s")).tags
    assert [tag for tag, _ in tags].count("rect") == 2  # marks of the second series
    assert not [tag for tag, _ in tags if tag == "circle"]


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


STEERING = "\x1b[2J\u202etxet\u2066\x00\x9b\u200f\u2028\udc80"
SPELLED = r"\x1b[2J\u202etxet\u2066\x00\x9b\u200f\u2028\udc80"


def with_steering(value):
    """The same contents, with these characters at the end of every text in them."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: with_steering(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    if isinstance(value, tuple):
        return tuple(with_steering(one) for one in value)
    if isinstance(value, dict):
        return {name + STEERING: with_steering(one) for name, one in value.items()}
    return value + STEERING if isinstance(value, str) else value


def test_what_would_steer_a_browser_is_spelled_out_in_every_text_of_others(rows, tmp_path):
    folder = write_example(tmp_path, rows)
    results = json.loads((folder / "results.json").read_text())
    contents = with_steering(example_contents(folder / "results.json"))
    contents = dataclasses.replace(contents, own_method="cgdmer")
    results["rows"] = [
        row | {"class": row["class"] + STEERING} if row["class"] == "MI<2" else row for row in results["rows"]
    ]
    results["origin"]["left_out"] = [STEERING]
    made = page.page(contents, results, None, diagnostics="")
    steering = {c for c in made if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert steering == {"\n"}
    words = " ".join(Page(made).words)
    assert all(f"{text}{SPELLED}" in words for text in ("CG-DMER <nano>", "Record 7 of synthetic", "kurve. "))
    assert made.encode("utf-8")
