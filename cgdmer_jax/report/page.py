"""report.html: one self-contained page, no script and no outside resource, made from results rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.protocols import MACRO, WORDS
from cgdmer_jax.report.plots import Bar, bar_chart, line_chart
from cgdmer_jax.report.sections import sections
from cgdmer_jax.report.shell import document, ecg_figure, sheet
from cgdmer_jax.report.tables import (
    cell,
    count_cell,
    facts_table,
    line,
    name_of,
    plain,
    select,
    table,
    text_cell,
    values_of,
)
from cgdmer_jax.whole_file import write_whole

LARGEST_BYTES = 5_000_000
WHOLE = {"group": "all", "label_fraction": 1.0, "leads": "all"}
FIRST = ("probe", "zero_shot")  # evaluations of the first table
TERMS = {
    "probe": "logistic regression fitted on the labels; the encoder itself stays as it was pretrained",
    "zero_shot": "no label is used: similarity of the recording with written sentences (en, de: their language)",
    "main": "the feature of the encoder that was named in advance as the headline",
    "random_weights": "the same encoder before any training",
    "random_convolutions": "features of random filters, with ridge regression",
    "hand36": "36 amplitudes measured in the recording, with logistic regression",
    "max_test": "the epoch that is best on the scored records themselves, which is what was published: optimistic",
}


@dataclass(frozen=True)
class EcgPage:
    """One page of ecg_paper.ecg_page_svg with the sentence under it."""

    svg: str
    caption: str


def write_report(
    path: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    rows: Sequence[dict],
    own_method: str,
    curves: Mapping[str, Mapping[str, str]],
    metrics: Sequence[dict],
    pages: Sequence[EcgPage],
    more: Sequence[str],
) -> None:
    """Writes the page in one rename.

    `rows` are results rows; bold and bars are for `own_method`; `curves` is panel -> line name -> field of
    the `metrics` lines (dicts with a "step"); `facts` are shown as they are (run, store, split, command); `more` is
    HTML made elsewhere.
    """
    parts = [
        "<h2>Run</h2>\n" + facts_table("What was evaluated, and how", facts),
        _first_table(rows, own_method),
        _difference_table(rows),
        _share_table(rows),
        _bars(rows, own_method),
        *sections(rows, own_method),
        _pages(pages),
        *more,
        _curves(curves, metrics),
    ]
    page = document(title, parts)
    size = len(page.encode())
    if size > LARGEST_BYTES:
        raise CgdmerError(f"{path} would hold {size:,} bytes, more than {LARGEST_BYTES:,}; show fewer ECG pages")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page)


def first_table(rows: Sequence[dict]) -> tuple[list[str], list[tuple[tuple[str, str, str], dict[str, dict]]]]:
    """(tasks, [((protocol, evaluation, name), task -> row)]): each protocol's macro AUROC, in order met."""
    everyone = select(rows, {"group": "all", "leads": "all", "metric": "auroc"})
    shown = [row for row in everyone if row["evaluation"] in FIRST and _is_first(row)]
    lines: dict[tuple[str, str, str], dict[str, dict]] = {}
    for row in shown:
        share = "" if row["label_fraction"] == 1 else f" · {row['label_fraction']:.0%} of labels"
        lines.setdefault((row["protocol"], row["evaluation"], name_of(row) + share), {})[row["task"]] = row
    return values_of(shown, "task"), list(lines.items())


def _is_first(row):
    """Fewer labels have a section of their own, but are half of what merl publishes."""
    return row["class"] == MACRO[row["protocol"]] and (row["protocol"] == "merl" or row["label_fraction"] == 1)


def text_table(rows: Sequence[dict]) -> str:
    """The first table for a terminal."""
    tasks, lines = first_table(rows)
    cells = [["protocol", "evaluation", "features", *tasks]]
    cells += [[*name, *(text_cell(of_task.get(task)) for task in tasks)] for name, of_task in lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _first_table(rows, own_method):
    tasks, lines = first_table(rows)
    if not lines:
        return ""
    head = ["Protocol", "Evaluation", "Features", *tasks]
    protocols = dict.fromkeys(protocol for (protocol, _, _), _ in lines)
    caption = "Macro AUROC. " + "; ".join(f"{name}: {WORDS[name]}" for name in protocols)
    body = []
    for (protocol, evaluation, name), of_task in lines:
        own = any(row["method"] == own_method for row in of_task.values())
        words = (protocol, plain(evaluation), name)
        body.append(line(words, [cell(of_task.get(task)) for task in tasks], own=own))
    return "<h2>Results</h2>\n" + table(caption, head, 3, body) + _terms(lines)


def _terms(lines):
    """What the names in the first table mean, of those that stand in it."""
    fields = ("evaluation", "method", "feature", "variant")
    used = {row[field] for _, of_task in lines for row in of_task.values() for field in fields}
    told = "".join(f"<dt>{plain(name)}</dt><dd>{words}</dd>" for name, words in TERMS.items() if name in used)
    return f'<dl class="terms">{told}</dl>' if told else ""


def _difference_table(rows):
    shown = select(rows, WHOLE | {"metric": "auroc_difference"})
    body = [
        line((row["task"], plain(row["evaluation"]), name_of(row)), [cell(row, signed=True)], own=False)
        for row in shown
    ]
    caption = "Paired differences of macro AUROC: both sides on the same resampled patients"
    return table(caption, ["Task", "Evaluation", "Difference", "AUROC"], 3, body) if body else ""


def _share_table(rows):
    shown = select(rows, {"metric": "affirmed_share"})
    body = [line((row["class"],), [count_cell(row["n_positive"]), cell(row)], own=False) for row in shown]
    caption = "Share of held-out positives whose affirmed sentence scores above its negation"
    return table(caption, ["Finding", "Positives", "Share"], 1, body) if body else ""


def _curves(curves, metrics):
    charts = []
    for title, lines in curves.items():
        series = {}
        for name, field in lines.items():
            points = [(entry["step"], entry[field]) for entry in metrics if field in entry]
            series[name] = ([p[0] for p in points], [p[1] for p in points])
        charts.append(line_chart(series, title=title, x_label="step"))
    charts = [chart for chart in charts if chart]
    return '<h2>Training</h2>\n<div class="plots">' + "".join(charts) + "</div>" if charts else ""


def _bars(rows, own_method):
    """One chart per evaluation, feature and task of the own method for which intervals were computed."""
    shown = [
        row
        for row in select(rows, WHOLE | {"metric": "auroc", "method": own_method})
        if row["evaluation"] in FIRST and not row["class"].startswith("macro_")
    ]
    groups: dict[str, list[Bar]] = {}
    for row in shown:
        title = f"{row['task']}: {plain(row['evaluation'])}, {name_of(row)}"
        bar = Bar(row["class"], row["value"], row["low"], row["high"], f"n+ {row['n_positive']}")
        groups.setdefault(title, []).append(bar)
    charts = "".join(
        f"<figure>{bar_chart(bars, title=title)}</figure>"
        for title, bars in groups.items()
        if any(bar.low is not None for bar in bars)
    )
    intro = "<p>AUROC of each class with its 95 % interval; n+ is the number of positives scored.</p>"
    return f'<h2>Classes</h2>\n{intro}<div class="plots">{charts}</div>' if charts else ""


def _pages(pages):
    figures = [ecg_figure(page.svg, page.caption) for page in pages]
    return sheet(["<h2>One recording, hidden in part and reconstructed</h2>", *figures]) if figures else ""
