"""The finished runs of a grid as one table (JSON and text) and one figure."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.score_key import ScoreKey, key_of
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.report.difference_plot import Difference, difference_chart
from cgdmer_jax.report.tables import terminal_lines
from cgdmer_jax.short_paths import short
from cgdmer_jax.studies import paired
from cgdmer_jax.studies.finished_runs import learned_config, read_document
from cgdmer_jax.whole_file import write_whole

KIND = ("evaluation", "feature", "variant", "metric")
HEADLINE = {"evaluation": "probe", "feature": "main", "metric": "auroc"}
SHOWN = ("auroc", "recall_at_10")  # the JSON of each run holds more
RECONSTRUCTION = ("training", None, None, "validation_ecg")  # loss on the validation records, with the row's own masks


class Measured(NamedTuple):
    """One figure of one run; figures of one kind and task are compared."""

    row: str
    seed: int
    kind: tuple[str | None, ...]
    task: str | None
    value: float | int
    key: ScoreKey | None  # of its resampled figures


def table_rows(
    documents: Sequence[dict],
    reference: str,
    samples: Mapping[tuple[str, int], dict],
    own: Mapping[str, str] = MappingProxyType({}),
) -> list[dict]:
    """A row for each grid row, kind of figure and task: the mean over its seeds, and the difference to the reference.

    `samples` holds the resampled figures of each (row, seed); without those of both sides the difference stands alone.
    `own`: rows with a reference of their own.
    """
    figures = []
    for document in documents:
        which = document["row"], document["seed"]
        figures += [
            Measured(*which, tuple(row[field] for field in KIND), row["task"], row["value"], key_of(row))
            for row in document["rows"]
            if row["value"] is not None and row["metric"] in SHOWN
        ]
        loss = document["metrics"]["validation"].get(RECONSTRUCTION[-1])
        if loss is not None:
            figures.append(Measured(*which, RECONSTRUCTION, None, loss, None))
    return compared(figures, KIND, reference, samples, own)


def compared(
    figures: Sequence[Measured],
    fields: Sequence[str],
    reference: str,
    samples: Mapping[tuple[str, int], dict],
    own: Mapping[str, str] = MappingProxyType({}),
) -> list[dict]:
    """A row for each study row, kind (its `fields`) and task: the mean over its seeds, the difference to the reference.

    Both with intervals where the resampled figures of every seed are known.
    """
    values = defaultdict(dict)  # (kind, task) -> row -> seed -> value
    for one in figures:
        values[one.kind, one.task].setdefault(one.row, {})[one.seed] = one.value
    keys = {(one.kind, one.task): one.key for one in figures}
    made = []
    for (kind, task), of_row in values.items():
        wanted = keys[kind, task]
        for name, by_seed in of_row.items():
            row = {"row": name, "n_seeds": len(by_seed), **dict(zip(fields, kind, strict=True)), "task": task}
            row["value"] = float(np.mean(list(by_seed.values())))
            mine = _samples_of(samples, name, by_seed, wanted)
            row |= _ends("value", paired.interval_of(mine) if mine.keys() == by_seed.keys() else None)
            less = own.get(name, reference)
            row |= {"reference": less, "difference": None, "low": None, "high": None, "n_seeds_paired": 0}
            theirs = of_row.get(less, {})
            if name != less and (seeds := by_seed.keys() & theirs.keys()):
                row["n_seeds_paired"] = len(seeds)
                row["difference"] = float(np.mean([by_seed[s] - theirs[s] for s in seeds]))
                sides = [_samples_of(samples, side, seeds, wanted) for side in (name, less)]
                if all(side.keys() == seeds for side in sides) and (found := paired.paired_interval(*sides)):
                    row |= {"low": found.low, "high": found.high}
            made.append(row)
    return made


def _ends(name: str, found: bootstrap.Interval | None) -> dict[str, float | None]:
    return {f"{name}_low": found.low if found else None, f"{name}_high": found.high if found else None}


def _samples_of(samples, row, seeds, key):
    return {seed: found[key] for seed in seeds if key in (found := samples.get((row, seed), {}))}


def text_tables(rows: Sequence[dict], reference: str) -> str:
    """A table a kind of figure, for a terminal."""
    kinds = list(dict.fromkeys(tuple(row[field] for field in KIND) for row in rows))
    parts = []
    for kind in kinds:
        of_kind = [row for row in rows if tuple(row[field] for field in KIND) == kind]
        tasks = list(dict.fromkeys(row["task"] for row in of_kind))
        cells = [["row", "seeds", *(task or "" for task in tasks)]]
        for name in dict.fromkeys(row["row"] for row in of_kind):
            of_task = {row["task"]: row for row in of_kind if row["row"] == name}
            seeds = str(max(row["n_seeds"] for row in of_task.values()))
            label = _label(next(iter(of_task.values())), reference)
            cells.append([label, seeds, *(_cell(of_task.get(task)) for task in tasks)])
        parts.append("\n".join([" ".join(part for part in kind if part), *terminal_lines(cells)]))
    return "\n\n".join(parts)


def _label(row: dict, reference: str) -> str:
    """Name of the row, and what it is compared with where that is not the table's reference."""
    return row["row"] if row["reference"] == reference else f"{row['row']} less {row['reference']}"


def _cell(row: dict | None) -> str:
    if row is None:
        return "n/a"
    text = f"{row['value']:.3f}"
    if row["difference"] is not None:
        text += f" {row['difference']:+.3f}"
    return text + (f" [{row['low']:+.3f}, {row['high']:+.3f}]" if row["low"] is not None else "")


def not_measured(documents: Sequence[dict], reference: str) -> list[str]:
    """Fields of the method in which no finished row differs from the finished reference."""
    configs = [learned_config(document) for document in documents]
    fields = {field for config in configs for field in config if field.startswith("method.")}
    of_reference = next((c for c, d in zip(configs, documents, strict=True) if d["row"] == reference), None)
    if of_reference is None:
        return sorted(fields)
    return sorted(f for f in fields if all(config.get(f) == of_reference.get(f) for config in configs))


class StudyTable(NamedTuple):
    """Table of the finished runs."""

    reference: str
    rows: list[dict]
    not_measured: list[str]


def table_of(paths: Sequence[Path], reference: str, own: Mapping[str, str] = MappingProxyType({})) -> StudyTable:
    """From the JSON of the finished runs and the samples beside them; no run folder is asked for."""
    documents = [read_document(one) for one in paths]
    kept = {(d["row"], d["seed"]): one.with_suffix(".npz") for d, one in zip(documents, paths, strict=True)}
    samples = {which: paired.load_samples(one) for which, one in kept.items() if one.exists()}
    rows = table_rows(documents, reference, samples, own)
    return StudyTable(reference, rows, not_measured(documents, reference))


def write_table(table: StudyTable, path: Path, grid: str) -> None:
    """Writes and prints it."""
    head = {"command": provenance.command_line(), "commit": commit(), "environment": environment()}
    head |= {"grid": short(grid), "reference": table.reference, "not_measured": table.not_measured}
    write_lines(path, head, table.rows)
    print(text_tables(table.rows, table.reference))
    print(f"not measured: {', '.join(table.not_measured)}")
    print(f"table: {path}")


def write_figure(rows: Sequence[dict], reference: str, path: Path) -> None:
    """Differences of the headline probe, a panel a task; nothing while no other row is finished."""
    panels: dict[str, list[Difference]] = defaultdict(list)
    for row in rows:
        if all(row[field] == value for field, value in HEADLINE.items()) and row["difference"] is not None:
            name, seeds = _label(row, reference).replace("_", " "), row["n_seeds_paired"]
            panels[row["task"]].append(Difference(name, row["difference"], row["low"], row["high"], seeds == 1))
    if not panels:
        return
    title = f'Validation macro AUROC of the probe on main, less that of "{reference}"'
    note = "95 % intervals; filled: over patients and seeds; hollow: one seed, over patients alone; cross: no interval"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, difference_chart(panels, title=title, note=note))
    print(f"figure: {path}")


def write_lines(path: Path, head: dict, rows: Sequence[dict]) -> None:
    """The head and its "rows", a line each, in one rename."""
    lines = ",\n".join(json.dumps(row, separators=(",", ":"), allow_nan=False) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f'{json.dumps(head, indent=1)[:-2]},\n "rows": [\n{lines}\n ]\n}}\n')
