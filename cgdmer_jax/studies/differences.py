"""Paired differences between evaluations of the same records: probes, floors, fine-tuned runs and their controls."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.protocols import MACRO
from cgdmer_jax.metrics.results import RESULTS, read_results
from cgdmer_jax.metrics.score_key import ScoreKey, key_of
from cgdmer_jax.npz_file import read_arrays
from cgdmer_jax.report.tables import text_cell
from cgdmer_jax.studies.paired import Samples, macro_samples, paired_interval
from cgdmer_jax.studies.table import write_lines

COMPARED = ("probe", "finetune")  # evaluations whose macro AUROC is compared
SHOWN = ("run", "split", "evaluation", "method", "feature", "variant", "task", "label_fraction")  # of a row
REMEDY = "evaluate the run again"


class Scores(NamedTuple):
    """One set of scores: its macro AUROC as published, and on each resample of the patients."""

    row: dict  # of results.json
    samples: Samples


def differences(folders: Sequence[Path], references: Sequence[str], out: Path) -> list[dict]:
    """Writes `out` and returns its rows: every probe and fine-tuned model, and how far it is from each reference.

    - `folders`: each with results.json and predictions.npz, of `evaluate` or `finetune`, of one store and split.
    - `references`: evaluation/method/feature, then variant, as in predictions.npz without task and share of labels
      ("probe/random_convolutions/ridge"); each is compared within a task and a share of the labels.

    Intervals are 95 % over patients, the same ones drawn for both sides.
    """
    documents = [(folder, read_results(folder / RESULTS)) for folder in folders]
    stores = {document["origin"].get("store") for _, document in documents}
    splits = {row["split"] for _, document in documents for row in document["rows"]}
    if len(stores) > 1 or len(splits) > 1:
        raise CgdmerError("the folders score different stores or splits; give evaluations of the same records")
    scored: dict[ScoreKey, Scores] = {}
    for folder, document in documents:
        for key, scores in read_scores(folder, document["rows"]).items():
            if key in scored:
                raise CgdmerError(f"{key.text()} is in two of the folders, {folder} is one; give one of them")
            scored[key] = scores
    for name in references:
        if not any(_name(key) == name for key in scored):
            known = ", ".join(dict.fromkeys(map(_name, scored)))
            raise CgdmerError(f"--to: none of the folders has {name}; they have {known}")
    rows = [_told(key, scored, references) for key in sorted(scored, key=_order)]
    head = {"command": provenance.command_line(), "commit": provenance.commit()}
    head |= {"environment": provenance.environment(), "references": list(references)}
    head["evaluations"] = [{"commit": d["commit"], "command": d["command"], **d["origin"]} for _, d in documents]
    write_lines(out, head, rows)
    return rows


def read_scores(folder: Path, rows: Sequence[dict]) -> dict[ScoreKey, Scores]:
    """Sets of scores of an evaluation whose macro AUROC is compared, all records and all leads."""
    file = folder / "predictions.npz"
    arrays, made = read_arrays(file, remedy=REMEDY), {}
    for row in rows:
        macro = (row["class"], row["metric"], row["group"]) == (MACRO["clean"], "auroc", "all")
        if not macro or row["evaluation"] not in COMPARED or row["protocol"] != "clean" or row["val_labels"] != "full":
            continue
        key = key_of(row)
        names = [key.text(), *(f"{key.task}/{name}" for name in ("labels", "record_id", "patient_id"))]
        if lacking := [name for name in names if name not in arrays]:
            raise CgdmerError(f"{file} lacks {lacking[0]}; {REMEDY}")
        scores, *rest = (arrays[name] for name in names)
        samples = macro_samples(scores.astype(np.float64), *rest, every_class=key.label_fraction < 1)
        made[key] = Scores(row, samples)
    return made


def in_words(rows: Sequence[dict], references: Sequence[str]) -> str:
    """The rows as Markdown, a table a task and share of the labels."""
    tables = []
    for task, share in dict.fromkeys((row["task"], row["label_fraction"]) for row in rows):
        cells = [[f"{task}, {share:.0%} of the labels", "macro AUROC", *(f"less {name}" for name in references)]]
        cells.append(["---"] * len(cells[0]))
        for row in rows:
            if (row["task"], row["label_fraction"]) == (task, share):
                less = {one["reference"]: _signed(one) for one in row["differences"]}
                cells.append([row["name"], text_cell(row), *(less.get(name, "") for name in references)])
        tables.append("\n".join(f"| {' | '.join(line)} |" for line in cells))
    return "\n\n".join(tables)


def _told(key: ScoreKey, scored: dict[ScoreKey, Scores], references: Sequence[str]) -> dict:
    """A row with its differences; the interval is that of its own evaluation, or else of the resamples."""
    own = scored[key]
    row = {field: own.row[field] for field in (*SHOWN, "value", "low", "high", "n")}
    found = []
    for name in references:
        other = next((one for at, one in scored.items() if _name(at) == name and _beside(at) == _beside(key)), None)
        if other is None or other is own:
            continue
        interval = paired_interval({0: own.samples}, {0: other.samples})
        low, high = interval or (None, None)
        found.append({"reference": name, "value": own.row["value"] - other.row["value"], "low": low, "high": high})
    return row | {"name": _name(key), "differences": [_rounded(one) for one in found]}


def _name(key: ScoreKey) -> str:
    """Key without task and share of labels."""
    return "/".join(part for part in (key.evaluation, key.method, key.feature, key.variant) if part is not None)


def _beside(key: ScoreKey) -> tuple[str, float]:
    return key.task, key.label_fraction


def _order(key: ScoreKey) -> tuple:
    return key.task, -key.label_fraction, key.evaluation != "finetune", _name(key)


def _rounded(row: dict) -> dict:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}


def _signed(one: dict) -> str:
    interval = "" if one["low"] is None else f" [{one['low']:+.3f}, {one['high']:+.3f}]"
    return f"{one['value']:+.3f}{interval}"
