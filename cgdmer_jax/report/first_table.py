"""The first table of an evaluation, macro AUROC a task: for the page, for a terminal, and for side by side."""

from collections.abc import Sequence

from scipy.stats import binomtest

from cgdmer_jax.metrics.features import BESIDE
from cgdmer_jax.metrics.protocols import MACRO, WORDS
from cgdmer_jax.report.tables import (
    ClassNames,
    cell,
    coded,
    count_cell,
    line,
    name_of,
    plain,
    select,
    table,
    terminal_lines,
    text_cell,
    values_of,
)

WHOLE = {"group": "all", "label_fraction": 1.0, "leads": "all"}
FIRST = ("probe", "zero_shot")  # evaluations of the first table
AUROC = (
    "how often a recording with the finding scores above one without it: 0.5 is chance, 1 is perfect; macro: the mean "
    "over the classes of a task"
)
TERMS = {
    "probe": "logistic regression fitted on the labels; the encoder itself stays as it was pretrained",
    "zero_shot": "no label is used: similarity of the recording with written sentences (en, de: their language)",
    "queries": "the query network's answer to the plain name of a finding; seen: names that it was trained to answer",
    "main": "the feature of the encoder that was named in advance as the headline",
    "random_weights": "the same encoder before any training",
    "random_convolutions": "features of random filters, with ridge regression",
    BESIDE: "random convolutions beside the encoder's feature, with one ridge regression",
    "hand36": "36 amplitudes measured in the recording, with logistic regression",
    "max_test": "the epoch that is best on the scored records themselves, which is what was published: optimistic",
}


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
    return "\n".join(terminal_lines(cells))


def results_section(rows: Sequence[dict], own_method: str, names: ClassNames) -> str:
    """The table as HTML with its terms, paired differences and affirmed shares below it."""
    parts = (_first(rows, own_method), _difference_table(rows), _share_table(rows, names))
    return "\n".join(part for part in parts if part)


def _first(rows, own_method):
    tasks, lines = first_table(rows)
    if not lines:
        return ""
    head = ["Protocol", "Evaluation", "Features", *tasks]
    protocols = dict.fromkeys(protocol for (protocol, _, _), _ in lines)
    caption = "Macro AUROC. " + "; ".join(f"{name}: {WORDS[name]}" for name in protocols)
    body = []
    for (protocol, evaluation, name), of_task in lines:
        own = any(_is_of_encoder(row, own_method) for row in of_task.values())
        words = (protocol, plain(evaluation), name)
        body.append(line(words, [cell(of_task.get(task)) for task in tasks], own=own))
    return "<h2>Results</h2>\n" + table(caption, head, 3, body) + _terms(lines)


def _is_of_encoder(row, own_method):
    return row["method"] == own_method and not str(row["feature"]).endswith(BESIDE)


def _terms(lines):
    """Meaning of the figure, and of the names that stand in the first table."""
    fields = ("evaluation", "method", "feature", "variant")
    used = {row[field] for _, of_task in lines for row in of_task.values() for field in fields}
    used |= {BESIDE for name in used if str(name).endswith(BESIDE)}
    told = "".join(f"<dt>{plain(name)}</dt><dd>{words}</dd>" for name, words in TERMS.items() if name in used)
    return f'<dl class="terms"><dt>macro AUROC</dt><dd>{AUROC}</dd>{told}</dl>'


def _difference_table(rows):
    shown = select(rows, WHOLE | {"metric": "auroc_difference"})
    body = [
        line((row["task"], plain(row["evaluation"]), name_of(row)), [cell(row, signed=True)], own=False)
        for row in shown
    ]
    caption = "Paired differences of macro AUROC: both sides on the same resampled patients"
    return table(caption, ["Task", "Evaluation", "Difference", "AUROC"], 3, body) if body else ""


def _share_table(rows, names):
    shown = select(rows, {"metric": "affirmed_share"})
    body = [
        line((coded(names, row["task"], row["class"]),), [count_cell(row["n_positive"]), *_share_cells(row)], own=False)
        for row in shown
    ]
    caption = (
        "Negation test: share of held-out positives whose affirmed sentence scores above its negation. Chance is 50 %; "
        "the interval is Wilson's (95 %, each recording counted as independent)"
    )
    return table(caption, ["Finding", "Positives", "Share", "Chance is 50 %"], 1, body) if body else ""


def _share_cells(row):
    """The share in per cent with its interval, and on which side of chance it lies."""
    if row["value"] is None or not row["n_positive"]:
        return ['<td class="figure">n/a</td>', '<td class="figure">no positives</td>']
    low, high = share_interval(row["value"], row["n_positive"])
    side = "above chance" if low > 0.5 else "below chance" if high < 0.5 else "indistinguishable from chance"
    between = f'<span class="interval">[{100 * low:.1f}, {100 * high:.1f}]</span>'
    return [f'<td class="figure">{100 * row["value"]:.1f} % {between}</td>', f'<td class="figure">{side}</td>']


def share_interval(share: float | int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n."""
    interval = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
