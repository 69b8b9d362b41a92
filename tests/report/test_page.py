"""report.html: well-formed, self-contained, complete, and readable by a screen reader."""

import dataclasses
import json
import unicodedata
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from math import sqrt

import pytest

from cgdmer_jax.metrics.results import plain_row
from cgdmer_jax.report import page
from cgdmer_jax.report.first_table import results_section, text_table
from cgdmer_jax.report.sections import sections
from cgdmer_jax.report.shell import css_string
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


def test_the_title_says_what_was_found_and_the_head_of_a_printed_sheet_what_was_evaluated(written, rows):
    (difference,) = [row for row in rows if row["metric"] == "auroc_difference"]
    title = f"CG-DMER <nano>: the probe is better than random weights by {difference['value']:.3f}"
    assert Page(written).words.count(title) == 2  # of the window, and the first heading
    assert f"<h1>{escape(title)}</h1>" in written
    assert f'@top-left {{ content: "{css_string("Record 7 · CG-DMER <nano>")}";' in written


def test_of_a_reconstruction_the_share_that_was_hidden_is_told(written, tmp_path):
    (tmp_path / "results.json").write_text("")
    (one,) = example_contents(tmp_path / "results.json").reconstructions
    assert f">{round(100 * one.hidden.mean())} % of the patches were hidden" in written


def test_names_in_the_first_table_are_explained_where_they_occur(written):
    assert "<dt>macro AUROC</dt><dd>how often a recording with the finding scores above one without it" in written
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


@pytest.mark.parametrize(
    ("share", "n", "side"), [(0.912, 150, "above"), (0.1, 40, "below"), (0.55, 20, "indistinguishable from")]
)
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
