"""Paired differences between evaluations of the same records: probes, floors, fine-tuned runs and their controls."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.protocols import MACRO
from cgdmer_jax.metrics.results import RESULTS, Scored, Setting, paired_row, read_results, rows_for_scores
from cgdmer_jax.metrics.score_key import ScoreKey, key_of
from cgdmer_jax.npz_file import read_arrays
from cgdmer_jax.report.tables import text_cell
from cgdmer_jax.studies.table import write_lines

COMPARED = ("probe", "finetune")  # evaluations whose macro AUROC is compared
SHOWN = (
    *("run", "split", "evaluation", "method", "feature", "variant", "task", "label_fraction"),
    *("domain", "supervision", "seen_in_training", "value", "low", "high", "n", "n_seeds"),
)
OF_TASK = ("labels", "classes", "record_id", "patient_id")  # arrays of predictions.npz
REMEDY = "evaluate the run again"


class Scores(NamedTuple):
    """One set of scores: its row of results.json, the classes in that mean, and its resampled figures."""

    key: ScoreKey
    row: dict
    judged: tuple[str, ...]
    scored: Scored

    @property
    def of(self) -> tuple[str, float]:
        """Within which it is compared: task and share of the labels."""
        return self.key.task, self.key.label_fraction

    @property
    def name(self) -> str:
        """The key without task and share of the labels."""
        key = self.key
        return "/".join(part for part in (key.evaluation, key.method, key.feature, key.variant) if part is not None)


class ScoredRecords(NamedTuple):
    """The scored records of a task, as arrays of predictions.npz, and the resamples of their patients."""

    arrays: dict[str, np.ndarray]
    weights: np.ndarray


def differences(folders: Sequence[Path], references: Sequence[str], out: Path) -> list[dict]:
    """Writes `out` and returns its rows: every probe and fine-tuned model, and how far it is from each reference.

    - `folders`: each with results.json and predictions.npz, of `evaluate` or `finetune`, of one store and split.
    - `references`: evaluation/method/feature, then variant, as in predictions.npz without task and share of labels
      ("probe/random_convolutions/ridge"), and @run behind it where several runs have that; each is compared within a
      task and a share of the labels.

    Intervals are 95 %, as an evaluation has them: the same resampled patients for both sides, and of several draws of
    labels or weights one a resample. Sides whose means are of different classes get no difference.
    """
    documents = [(folder, read_results(folder / RESULTS)) for folder in folders]
    stores = {document["origin"].get("store") for _, document in documents}
    splits = {row["split"] for _, document in documents for row in document["rows"]}
    if len(stores) > 1 or len(splits) > 1:
        raise CgdmerError("the folders score different stores or splits; give evaluations of the same records")
    records: dict[str, ScoredRecords] = {}
    sets = [one for folder, document in documents for one in read_scores(folder, document["rows"], records)]
    names = names_of(sets)
    for reference in references:
        if reference not in names:
            known = ", ".join(dict.fromkeys(names))
            raise CgdmerError(f"--to: none of the folders has {reference}; they have {known}")
    named = sorted(zip(names, sets, strict=True), key=_order)
    rows = [_told(name, one, named, references) for name, one in named]
    head = {"command": provenance.command_line(), "commit": provenance.commit()}
    head |= {"environment": provenance.environment(), "references": list(references)}
    head["evaluations"] = [{"commit": d["commit"], "command": d["command"], **d["origin"]} for _, d in documents]
    write_lines(out, head, rows)
    return rows


def read_scores(folder: Path, rows: Sequence[dict], records: dict[str, ScoredRecords]) -> list[Scores]:
    """Sets of scores of an evaluation whose macro AUROC is compared; `records` collects what each task scores."""
    file = folder / "predictions.npz"
    arrays, made = read_arrays(file, remedy=REMEDY), []
    kept = [row for row in rows if _is_compared(row)]
    for key in dict.fromkeys(map(key_of, kept)):
        of_key = {row["class"]: row for row in kept if key_of(row) == key}
        names = [key.text(), *(f"{key.task}/{name}" for name in OF_TASK)]
        if lacking := [name for name in names if name not in arrays]:
            raise CgdmerError(f"{file} lacks {lacking[0]}; {REMEDY}")
        scores, *of_task = (arrays[name] for name in names)
        same = _same_records(dict(zip(OF_TASK, of_task, strict=True)), records, key.task, folder)
        labels, classes = same.arrays["labels"], same.arrays["classes"].tolist()
        defined = np.array([of_key[name]["value"] is not None for name in classes])
        row = of_key[MACRO["clean"]]
        setting = Setting(**{field.name: row[field.name] for field in fields(Setting)})
        draws = [*scores.reshape(-1, *scores.shape[-2:]).astype(np.float64)]
        scored = rows_for_scores(
            setting, draws, labels, classes, probabilities=False, defined=defined, weights=same.weights, macro_only=True
        )
        judged = defined & (labels.sum(0) >= ENOUGH_POSITIVES)
        made.append(Scores(key, row, tuple(np.array(classes)[judged]), scored))
    return made


def names_of(sets: Sequence[Scores]) -> list[str]:
    """How each set is called: with its run where another has the same name, task and share of the labels."""
    count = Counter((one.name, *one.of) for one in sets)
    shared = {name for (name, *_), n in count.items() if n > 1}
    names = [f"{one.name}@{one.row['run']}" if one.name in shared else one.name for one in sets]
    twice = [name for (name, *_), n in Counter(zip(names, (one.of for one in sets), strict=True)).items() if n > 1]
    if twice:
        raise CgdmerError(f"{twice[0]} is in two of the folders, of runs of the same name; give one of them")
    return names


def in_words(rows: Sequence[dict], references: Sequence[str]) -> str:
    """The rows as Markdown, a table a task and share of the labels."""
    tables = []
    for task, share in dict.fromkeys((row["task"], row["label_fraction"]) for row in rows):
        head = [f"{task}, {share:.0%} of the labels", "macro AUROC", *(f"less {name}" for name in references)]
        cells = [head, ["---"] * len(head)]
        for row in rows:
            if (row["task"], row["label_fraction"]) == (task, share):
                less = {one["reference"]: _signed(one) for one in row["differences"]}
                seen = " (seen in training)" if row["seen_in_training"] else ""
                cells.append([row["name"] + seen, text_cell(row), *(less.get(name, "") for name in references)])
        tables.append("\n".join(f"| {' | '.join(line)} |" for line in cells))
    return "\n\n".join(tables)


def _is_compared(row: dict) -> bool:
    """Whether the row covers all records and leads by protocol clean, its strength chosen on all validation labels."""
    usual = (row["protocol"], row["group"], row["leads"], row["val_labels"]) == ("clean", "all", "all", "full")
    return usual and row["evaluation"] in COMPARED and row["metric"] == "auroc"


def _same_records(
    arrays: Mapping[str, np.ndarray], records: dict[str, ScoredRecords], task: str, folder: Path
) -> ScoredRecords:
    """Those of the first folder that has the task; raises where this one scores others."""
    if task not in records:
        weights = bootstrap.patient_weights(arrays["patient_id"], bootstrap.N_RESAMPLES, seed=0)
        records[task] = ScoredRecords(dict(arrays), weights)
    known = records[task]
    if not all(np.array_equal(known.arrays[name], arrays[name]) for name in OF_TASK):
        raise CgdmerError(f"{folder} scores other records of task {task} than the folders before it; leave it out")
    return known


def _told(name: str, own: Scores, named: Sequence[tuple[str, Scores]], references: Sequence[str]) -> dict:
    """A row of the table: that of its evaluation with a difference to each reference but itself."""
    found = []
    for reference in references:
        other = next((one for other, one in named if other == reference and one.of == own.of), None)
        if other is not None and other is not own:
            found.append({"reference": reference, **_difference(own, other)})
    return {"name": name, **{field: own.row[field] for field in SHOWN}, "differences": found}


def _difference(own: Scores, other: Scores) -> dict[str, float | None]:
    """Null where the two means are of different classes, or either has none."""
    if own.judged != other.judged or not own.judged:
        return {"value": None, "low": None, "high": None}
    row = paired_row(own.scored, other.scored, variant="")
    return {name: row[name] for name in ("value", "low", "high")}


def _order(one: tuple[str, Scores]) -> tuple:
    name, scores = one
    return scores.key.task, -scores.key.label_fraction, scores.key.evaluation != "finetune", name


def _signed(one: dict) -> str:
    if one["value"] is None:
        return "n/a"
    interval = "" if one["low"] is None else f" [{one['low']:+.3f}, {one['high']:+.3f}]"
    return f"{one['value']:+.3f}{interval}"
