"""The page of a comparison: what each run cost, its figures, and its differences to the reference."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cgdmer_jax.report.plots import Point, category_chart
from cgdmer_jax.report.shell import document
from cgdmer_jax.report.tables import Row, cell, facts_table, line, only, plain, select, table, values_of

ALL_LEADS = "all"
SHORT = {ALL_LEADS: "12", "I+II+III+aVR+aVL+aVF": "6", "I+II+V2": "3", "I+II": "2", "random9": "9"}
ENCODERS = {"trained": "", "random_weights": ", random weights"}
EVALUATIONS = {
    "probe": ("Probe", "Macro AUROC of a logistic regression on the encoder's main feature"),
    "finetune": ("Fine-tuned", "Macro AUROC of encoder and head trained on the labels"),
    "zero_shot": ("Zero-shot", "Macro AUROC of written sentences, or of names asked for"),
}


class ComparedRun(NamedTuple):
    """One finished run and what it cost."""

    row: str
    seed: int
    records: int
    n_parameters: int
    gflop_a_record: float
    petaflop: float
    training_seconds: float | None
    cpus: int
    training_commits: Sequence[str]


class Comparison(NamedTuple):
    """Everything that the page shows; `rows` are those of studies.table.compared."""

    reference: str
    runs: Sequence[ComparedRun]
    rows: Sequence[Row]
    split: str  # what was scored
    command: str
    lacking: Sequence[str]  # runs that were asked for and are not finished


def comparison_page(shown: Comparison) -> str:
    """HTML of a whole document."""
    records = sorted({run.records for run in shown.runs})
    title = f"{len({run.row for run in shown.runs})} configs on {', '.join(f'{n:,}' for n in records)} records each"
    commits = sorted({commit for run in shown.runs for commit in run.training_commits})
    facts = {"Command": shown.command, "Trained at commit": ", ".join(commits)}
    facts |= {"Scored": f"{shown.split} split", "Reference": shown.reference}
    if shown.lacking:
        facts["Not finished"] = ", ".join(shown.lacking)
    said = (
        "<p>Each AUROC of all classes with its 95 % interval over patients, and over seeds where there are several. A "
        "difference is taken on the same resampled patients (and seeds); one whose interval holds 0 shows nothing.</p>"
    )
    return document(
        title,
        said,
        title,
        [
            "<h2>Runs</h2>\n" + facts_table("What was compared", facts) + _costs(shown.runs),
            *_evaluations(shown, "clean"),
            _retrieval(shown),
            _missing_leads(shown),
            *_evaluations(shown, "merl"),
        ],
    )


def _costs(runs: Sequence[ComparedRun]) -> str:
    head = ["Config", "Seed", "Parameters", "GFLOP a record", "PFLOP", "Training", "Records/s", "Cores"]
    body = []
    for run in runs:
        seconds = run.training_seconds
        words = [f"{run.n_parameters:,}", f"{run.gflop_a_record:.2f}", f"{run.petaflop:.2f}"]
        words += [f"{seconds / 60:.1f} min", f"{run.records / seconds:.0f}"] if seconds else ["n/a", "n/a"]
        cells = [f'<td class="figure">{word}</td>' for word in [*words, str(run.cpus)]]
        body.append(line((run.row, str(run.seed)), cells, own=False))
    caption = (
        "Matrix products of forward and backward pass; minutes by the median rate, which other work may have slowed"
    )
    return table(caption, head, 2, body)


def _evaluations(shown: Comparison, protocol: str) -> list[str]:
    """A section for each way to score, with all labels and with each share of them."""
    made = []
    for evaluation, (title, caption) in EVALUATIONS.items():
        rows = select(
            shown.rows, {"protocol": protocol, "evaluation": evaluation, "leads": ALL_LEADS, "metric": "auroc"}
        )
        for share in sorted(values_of(rows, "label_fraction"), reverse=True):
            words = title if share == 1 else f"{title}, {share:.0%} of the labels"
            words += f" by protocol {protocol}" if protocol != "clean" else ""
            made.append(_figures(shown, select(rows, {"label_fraction": share}), words, caption))
    return made


def _figures(shown: Comparison, rows: Sequence[Row], title: str, caption: str) -> str:
    """Values, then differences to the reference; a column a task."""
    tasks = values_of(rows, "task")
    values, differences = [], []
    for of_kind in _kinds(rows, ("row", "encoder", "feature", "variant")):
        first = of_kind[0]
        named = (first["row"] + ENCODERS[first["encoder"]], _feature(first))
        cells = [only(of_kind, {"task": task}) for task in tasks]
        values.append(line(named, [cell(_value(row)) for row in cells], own=first["row"] == shown.reference))
        if first["encoder"] == "trained" and any(row and row["difference"] is not None for row in cells):
            differences.append(line(named, [cell(_difference(row), signed=True) for row in cells], own=False))
    head = ["Config", "Feature", *tasks]
    parts = [table(caption, head, 2, values)]
    if differences:
        parts.append(table(f"The same less that of {shown.reference}", head, 2, differences))
    return f"<h2>{title}</h2>\n" + "\n".join(parts)


def _retrieval(shown: Comparison) -> str:
    rows = select(shown.rows, {"evaluation": "retrieval", "metric": "recall_at_10"})
    variants = values_of(rows, "variant")
    body = []
    for of_run in _kinds(rows, ("row", "encoder")):
        first = of_run[0]
        cells = [cell(_value(only(of_run, {"variant": variant}))) for variant in variants]
        name = first["row"] + ENCODERS[first["encoder"]]
        body.append(line((name,), cells, own=first["row"] == shown.reference))
    caption = "Recall at 10: share of queries whose own recording or report is among the first ten"
    return "<h2>Retrieval</h2>\n" + table(caption, ["Config", *map(plain, variants)], 1, body) if rows else ""


def _missing_leads(shown: Comparison) -> str:
    """A figure a task with a mark for each config, and all figures as a table."""
    rows = select(shown.rows, {"evaluation": "missing_leads", "metric": "auroc"})
    if not rows:
        return ""
    names, leads = values_of(rows, "row"), sorted(values_of(rows, "leads"), key=_n_leads, reverse=True)
    heads = [SHORT.get(some, plain(some)) for some in leads]
    charts, body = [], []
    for task in values_of(rows, "task"):
        native = {name: select(rows, {"task": task, "variant": "native", "row": name}) for name in names}
        series = {name: [_point(only(of_row, {"leads": some})) for some in leads] for name, of_row in native.items()}
        charts.append(
            f"<figure>{category_chart(heads, series, title=f'{task}: macro AUROC by number of leads')}</figure>"
        )
        for name in names:
            for variant in values_of(rows, "variant"):
                found = [only(rows, {"task": task, "variant": variant, "row": name, "leads": some}) for some in leads]
                cells = [cell(_value(row)) for row in found]
                body.append(line((task, name, plain(variant)), cells, own=name == shown.reference))
    caption = (
        "The probe was fitted on all leads; macro AUROC when the encoder is given 12, 6 (limb leads), 3 (I, II, V2), "
        "2 (I, II) or one of them, or 9 drawn at random. native: the others are marked absent, as the figures show; "
        "zero fill: they stand at 0 mV, marked recorded"
    )
    drawn = f'<div class="plots">{"".join(charts)}</div>'
    return f"<h2>Missing leads</h2>\n{drawn}\n" + table(caption, ["Task", "Config", "Other leads", *heads], 3, body)


def _n_leads(leads: str) -> int:
    if leads == ALL_LEADS:
        return 12
    return int(leads.removeprefix("random")) if leads.startswith("random") else leads.count("+") + 1


def _kinds(rows: Sequence[Row], fields: Sequence[str]) -> list[list[Row]]:
    """Rows that agree in these fields, in order met."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[field] for field in fields), []).append(row)
    return list(groups.values())


def _feature(row: Row) -> str:
    return " · ".join(plain(part) for part in (row["feature"], row["variant"]) if part)


def _value(row: Row | None) -> Mapping[str, object] | None:
    return row and {**row, "low": row["value_low"], "high": row["value_high"]}


def _difference(row: Row | None) -> Mapping[str, object] | None:
    return {**row, "value": row["difference"]} if row and row["difference"] is not None else None


def _point(row: Row | None) -> Point:
    return Point(row["value"], row["value_low"], row["value_high"]) if row else Point()
