"""report.html: well-formed, self-contained, complete, and readable by a screen reader."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation import bootstrap, ecg_paper, plots, report, results
from tests.evaluation.test_results import SETTING

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
    rng = np.random.default_rng(0)
    labels = rng.random((300, 3)) < np.array([0.5, 0.2, 0.1])
    labels[:, 2] = False
    weights = bootstrap.patient_weights(np.arange(300), 50, seed=0)
    scored = [
        results.rows_for_scores(
            replace(SETTING, method=method),
            [rng.random(labels.shape) + skill * labels],
            labels,
            ("NORM", "MI<2", "RARE"),
            probabilities=False,
            weights=weights,
        )
        for method, skill in (("cgdmer", 0.6), ("random_weights", 0.1))
    ]
    share = results.plain_row(SETTING, "affirmed_share", "NORM", 0.912, n=300, n_positive=150)
    difference = results.paired_row(*scored, variant="minus random_weights")
    return [*scored[0].rows, *scored[1].rows, difference, share]


@pytest.fixture(scope="module")
def written(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "deep" / "report.html"
    svg = ecg_paper.ecg_page_svg(
        np.zeros((12, 1000), np.float32), 100.0, title="One ECG", hidden=np.ones((12, 50), bool)
    )
    report.write_report(
        path,
        title="CG-DMER <nano>",
        facts={"Store": "synthetic & small"},
        rows=rows,
        own_method="cgdmer",
        curves={"Loss": {"training": "loss", "validation": "validation_loss"}},
        metrics=[{"step": i, "loss": 1 / (1 + i)} for i in range(9)] + [{"step": 9, "validation_loss": 0.3}],
        pages=[report.EcgPage(svg, "shaded: hidden")],
        more=["<h2>Extra &amp; more</h2>"],
    )
    return path.read_text(encoding="utf-8")


def test_page_is_well_formed(written):
    assert Page(written).open == []


def test_page_needs_nothing_from_outside_and_runs_no_script(written):
    page = Page(written)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    assert not any({"src", "href", "onload", "onclick"} & attrs.keys() for _, attrs in page.tags)
    assert "@import" not in written and "url(" not in written


def test_page_says_that_it_is_no_medical_device(written):
    assert "research software, not a medical device" in written.lower()


def test_table_shows_value_and_interval_of_each_row(written, rows):
    for row in rows:
        if row["class"] == "macro_ge10" and row["metric"] == "auroc":
            shown = f'{row["value"]:.3f} <span class="interval">[{row["low"]:.3f}, {row["high"]:.3f}]</span>'
            assert shown in written
    (difference,) = [row for row in rows if row["metric"] == "auroc_difference"]
    assert f"{difference['value']:+.3f}" in written and "minus random weights" in written
    assert "0.912" in written


def test_names_are_escaped(written):
    assert "<nano>" not in written and "MI<2" not in written
    words = " ".join(Page(written).words)
    assert "CG-DMER <nano>" in words and "MI<2" in words and "synthetic & small" in words


def test_tables_have_headers_and_captions_and_plots_have_names(written):
    page = Page(written)
    count = [tag for tag, _ in page.tags].count
    assert count("table") == count("caption") == 4
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    named = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(named) == 3 and all(attrs["aria-label"] for attrs in named)  # curves, bars, ECG
    assert page.tags[0] == ("html", {"lang": "en"})


def test_undefined_class_is_said_to_be_so(written):
    assert "undefined" in written


def test_too_large_a_page_is_refused_before_writing(rows, tmp_path):
    page = report.EcgPage("<svg>" + " " * report.LARGEST_BYTES + "</svg>", "")
    with pytest.raises(CgdmerError, match="fewer ECG pages"):
        report.write_report(
            tmp_path / "report.html",
            title="t",
            facts={},
            rows=rows,
            own_method="cgdmer",
            curves={},
            metrics=[],
            pages=[page],
            more=[],
        )
    assert not list(tmp_path.iterdir())


def test_text_table_holds_the_same_figures(rows):
    text = report.text_table(rows)
    (row,) = [r for r in rows if r["class"] == "macro_ge10" and r["metric"] == "auroc" and r["method"] == "cgdmer"]
    assert f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in text
    assert text.splitlines()[0].split() == ["evaluation", "features", "super"]


def test_bar_ends_where_its_value_is():
    bars = [plots.Bar("A", 0.75, None, None, ""), plots.Bar("B", 1.0, None, None, "")]
    svg = plots.bar_chart(bars, title="t")
    widths = [float(a["width"]) for tag, a in Page(svg).tags if tag == "rect"]
    assert widths[0] == pytest.approx(widths[1] / 2)


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
        ticks = plots._ticks(low, high)
        assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 9
