"""diagnostics.json as tables: a section of the report, and text for a terminal."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.report.tables import boxed, terminal_lines
from cgdmer_jax.sealed_json import read_sealed

DIAGNOSTICS = "diagnostics.json"  # beside results.json, of experiments.diagnose


class Column(NamedTuple):
    """Heading, field of the row, format of its figure ("" = words), and whether an interval stands beside it."""

    head: str
    field: str
    style: str = ""
    low: str = ""
    high: str = ""


class Table(NamedTuple):
    """One list of rows of the document and how it is shown."""

    field: str
    caption: str
    columns: tuple[Column, ...]


TABLES = (
    Table(
        "gradients",
        "Gradient norm of each loss term on one fixed validation batch",
        (
            Column("Term", "term"),
            Column("Norm", "norm", ".3g"),
            Column("Weight", "weight", "g"),
            Column("Norm x weight", "weighted_norm", ".3g"),
        ),
    ),
    Table(
        "ranks",
        "Rank of the features of held-out records: effective (Roy and Vetterli 2007) and stable",
        (
            Column("Modality", "modality"),
            Column("Part", "part"),
            Column("Width", "width", "d"),
            Column("Effective rank", "effective_rank", ".1f"),
            Column("Share of width", "share", ".0%"),
            Column("Stable rank", "stable_rank", ".1f"),
            Column("Records", "n", "d"),
        ),
    ),
    Table(
        "predictability",
        "Held-out ridge R² of one part from the other: near 0 = linearly apart, 1 = a copy",
        (
            Column("Modality", "modality"),
            Column("From", "from"),
            Column("To", "to"),
            Column("R²", "r2", ".3f"),
            Column("Records", "n", "d"),
        ),
    ),
    Table(
        "gap",
        "Modality gap of held-out pairs, before and after each modality's mean is taken off; classifier 0.5 = none",
        (
            Column("Features", "features"),
            Column("Centred", "centred"),
            Column("Centroid distance", "distance", ".3f"),
            Column("Spread", "spread", ".3f"),
            Column("Classifier AUROC", "classifier_auroc", ".3f"),
            Column("Accuracy", "classifier_accuracy", ".3f"),
        ),
    ),
    Table(
        "probes",
        "Probes of shared, specific and both; the difference is paired over patients (95 %)",
        (
            Column("Target", "target"),
            Column("Figure", "metric"),
            Column("Shared", "shared", ".3f", "shared_low", "shared_high"),
            Column("Specific", "specific", ".3f", "specific_low", "specific_high"),
            Column("Both", "both", ".3f", "both_low", "both_high"),
            Column("Both less shared", "difference", "+.3f", "low", "high"),
        ),
    ),
    Table(
        "probes",
        "Mean absolute error of the regressions, in the unit of the target",
        (
            Column("Target", "target"),
            Column("Shared", "shared_mean_absolute_error", ".3g"),
            Column("Specific", "specific_mean_absolute_error", ".3g"),
            Column("Both", "both_mean_absolute_error", ".3g"),
        ),
    ),
    Table(
        "lengths",
        "Alignment by length of the report: InfoNCE and rank of the own report among all distinct ones scored",
        (
            Column("Quartile", "quartile"),
            Column("Shortest", "shortest", "d"),
            Column("Longest", "longest", "d"),
            Column("Records", "n", "d"),
            Column("Loss", "loss", ".3f"),
            Column("Median rank", "median_rank", "g"),
            Column("Recall at 10", "recall_at_10", ".3f"),
            Column("Gallery", "gallery", "d"),
        ),
    ),
)


def read_section(path: Path) -> str:
    """The section of a diagnostics.json; of a damaged one the error says what to do."""
    remedy = "run experiments.diagnose again, or delete the file"
    document = read_sealed(path, remedy=remedy)
    try:
        return diagnostics_section(document)
    except (KeyError, TypeError, ValueError) as error:  # whatever was put in the place of a table, a row or a figure
        raise CgdmerError(f"{path} does not hold what experiments.diagnose writes; {remedy}") from error


def diagnostics_section(document: dict) -> str:
    """A fragment in the style of report.py; what was not measured is left out."""
    tables = [_html(table, rows) for table in TABLES if (rows := shown(table, document))]
    where = f"Step {document['step']} on {document['store']}, {document['split']} split; made by the command diagnose"
    return "\n".join(["<h2>Diagnostics</h2>", f"<p>{escape(where)}</p>", *tables]) if tables else ""


def diagnostics_text(document: dict) -> str:
    """The same tables for a terminal."""
    parts = []
    for table in TABLES:
        if not (rows := shown(table, document)):
            continue
        cells = [[c.head for c in table.columns], *([_cell(c, row, " ") for c in table.columns] for row in rows)]
        parts.append("\n".join([table.caption, *terminal_lines(cells)]))
    return "\n\n".join(parts)


def shown(table: Table, document: dict) -> Sequence[dict]:
    """Rows in which at least one figure of the table is defined."""
    figures = [c.field for c in table.columns if c.style]
    return [row for row in document[table.field] if any(row[field] is not None for field in figures)]


def _cell(column: Column, row: dict, gap: str, interval: str = "{}") -> str:
    value = row[column.field]
    if not column.style:
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    if value is None:
        return "n/a"
    text = format(value, column.style)
    if not column.low or row[column.low] is None:
        return text
    between = f"[{format(row[column.low], column.style)}, {format(row[column.high], column.style)}]"
    return text + gap + interval.format(between)


def _html(table: Table, rows: Sequence[dict]) -> str:
    heads = "".join(f'<th scope="col"{_class(c)}>{escape(c.head)}</th>' for c in table.columns)
    first, *others = table.columns
    body = "".join(
        f'<tr><th scope="row">{escape(_cell(first, row, " "))}</th>'
        + "".join(f"<td{_class(c)}>{_cell_html(c, row)}</td>" for c in others)
        + "</tr>"
        for row in rows
    )
    return boxed(f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>", table.caption)


def _cell_html(column: Column, row: dict) -> str:
    if not column.style:
        return escape(_cell(column, row, " "))
    return _cell(column, row, " ", '<span class="interval">{}</span>')


def _class(column: Column) -> str:
    return ' class="figure"' if column.style else ""
