"""report.html: one self-contained page, no script and no outside resource, made from results rows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.plots import Bar, bar_chart, line_chart
from cgdmer_jax.evaluation.report_sections import sections
from cgdmer_jax.evaluation.report_tables import cell, count_cell, line, name_of, plain, select, table

DISCLAIMER = "Research software, not a medical device: not for the diagnosis or triage of any patient."
LARGEST_BYTES = 5_000_000
WHOLE = {"group": "all", "label_fraction": 1.0, "leads": "all"}
FIRST = ("probe", "zero_shot")  # evaluations of the first table

STYLE = """
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #222; background: #fff; max-width: 1120px;
  margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.warning { border: 1px solid #b36b00; background: #fff7e8; padding: .4rem .8rem; margin: .8rem 0; }
table { border-collapse: collapse; margin: .5rem 0; }
caption { text-align: left; white-space: nowrap; color: #555; padding: .2rem 0 .4rem; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.interval { color: #666; font-size: .87em; }
tbody th { font-weight: normal; }
tr.own td, tr.own th { font-weight: bold; } tr.own .interval { font-weight: normal; }
.plots { display: flex; flex-wrap: wrap; gap: 1.2rem; } figure { margin: .4rem 0; overflow-x: auto; }
figcaption { color: #555; } svg { max-width: none; }
@media (max-width: 700px) { table { display: block; overflow-x: auto; } caption { white-space: normal; } }
@media print { h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


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
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="warning">{DISCLAIMER}</p>',
        _facts(facts),
        _first_table(rows, own_method),
        _difference_table(rows),
        _share_table(rows),
        _bars(rows, own_method),
        *sections(rows, own_method),
        _pages(pages),
        *more,
        _curves(curves, metrics),
        f"<footer><p>{DISCLAIMER}</p></footer>",
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )
    size = len(page.encode())
    if size > LARGEST_BYTES:
        raise CgdmerError(f"{path} would hold {size:,} bytes, more than {LARGEST_BYTES:,}; show fewer ECG pages")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(page, encoding="utf-8")
    os.replace(unfinished, path)


def first_table(rows: Sequence[dict]) -> tuple[list[str], list[tuple[tuple[str, str], dict[str, dict]]]]:
    """(tasks, [((evaluation, name), task -> row)]) of macro_ge10 AUROC on all records, in order met."""
    shown = [
        row for row in select(rows, WHOLE | {"class": "macro_ge10", "metric": "auroc"}) if row["evaluation"] in FIRST
    ]
    lines: dict[tuple[str, str], dict[str, dict]] = {}
    for row in shown:
        lines.setdefault((row["evaluation"], name_of(row)), {})[row["task"]] = row
    return list(dict.fromkeys(row["task"] for row in shown)), list(lines.items())


def text_table(rows: Sequence[dict]) -> str:
    """The first table for a terminal."""
    tasks, lines = first_table(rows)
    cells = [["evaluation", "features", *tasks]]
    cells += [[*name, *(_figure(of_task.get(task)) for task in tasks)] for name, of_task in lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _facts(facts):
    cells = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(str(v))}</td></tr>' for k, v in facts.items())
    return f"<h2>Run</h2>\n<table><caption>What was evaluated, and how</caption><tbody>{cells}</tbody></table>"


def _first_table(rows, own_method):
    tasks, lines = first_table(rows)
    if not lines:
        return ""
    head = ["Evaluation", "Features", *tasks]
    caption = "Macro AUROC, classes with at least 10 positives; 95 % intervals from a bootstrap over patients"
    body = []
    for (evaluation, name), of_task in lines:
        own = any(row["method"] == own_method for row in of_task.values())
        body.append(line((plain(evaluation), name), [cell(of_task.get(task)) for task in tasks], own=own))
    return "<h2>Results</h2>\n" + table(caption, head, 2, body)


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
    figures = "".join(f"<figure>{p.svg}<figcaption>{escape(p.caption)}</figcaption></figure>" for p in pages)
    return f"<h2>One recording</h2>\n{figures}" if figures else ""


def _figure(row):
    if row is None or row["value"] is None:
        return "n/a"
    return f"{row['value']:.3f}" + ("" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]")
