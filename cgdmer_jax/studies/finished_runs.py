"""Finished runs by their JSON files: a file counts if its config is the one that would be trained now."""

import json
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.config import flat
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import read_json
from cgdmer_jax.renamed_fields import renamed
from cgdmer_jax.short_paths import short_fields
from cgdmer_jax.studies.grid import Planned
from cgdmer_jax.studies.study import Study
from cgdmer_jax.training.run_folder import YOUNGER, YOUNGER_IN_FINETUNING

# Fields younger than some committed JSON, each with the value at which a run is the one it was before the field came:
# a text encoder from scratch, no table of text vectors, attention chosen by device, the batch in one part, a vocabulary
# of all words. An older JSON means these. A new field of a method goes here, or every finished run is one of another
# config. Those of fine-tuning are in no config of a study.
NEUTRAL = {name: value for name, value in YOUNGER.items() if name not in YOUNGER_IN_FINETUNING} | {
    "data.text_columns.text_vectors": "",
    "method.text_tower": "",
    "method.text_trained": -1,
    "method.text_lr_multiplier": 0.1,
    "method.attention": "auto",
    "method.microbatches": 1,
}
FINETUNED, MERL = "finetuned", "by_merl"  # of a JSON: steps of each task's fine-tuning; whether protocol merl scored it
STORE = "store_fingerprint"  # of a JSON: what was trained on, whatever folder it lay in; an older one does not say
UNLEARNED = "run."  # intervals, checkpoints, devices: a run may change them when it goes on


def json_path(one: Planned, study: Study, out: Path) -> Path:
    return out / f"{study.name}-{one.row}-seed{one.seed}.json"


def read_document(path: Path) -> dict:
    """JSON of a finished run or of a table; of a damaged one the error says what to do."""
    remedy = "restore the file, or delete it"
    document = read_json(path, remedy=remedy)
    kinds = {"rows": list} | ({} if isinstance(document, dict) and "reference" in document else {"config": dict})
    if not isinstance(document, dict) or not all(isinstance(document.get(n), kind) for n, kind in kinds.items()):
        raise CgdmerError(f"{path} lacks {' or '.join(kinds)}, or holds something else as it; {remedy}")
    return document


def learned_config(document: dict) -> dict[str, object]:
    """Every field of a finished run's config under today's name, those that it is older than too."""
    return NEUTRAL | renamed(document["config"], "the JSON of a finished run")


def scored_by(study: Study) -> dict[str, object]:
    """What the JSON of a run says of how it was scored beyond an evaluation by protocol clean."""
    return {FINETUNED: dict.fromkeys(study.finetuned, study.finetuning_steps), MERL: study.merl_tables is not None}


def lacks(study: Study, path: Path) -> list[str]:
    """Scores that the study asks for and the JSON of a finished run does not hold."""
    document = read_document(path)
    made = document.get(FINETUNED, {})
    found = [f"not fine-tuned on {t} in {n} steps" for t, n in scored_by(study)[FINETUNED].items() if made.get(t) != n]
    return found + (["not scored by protocol merl"] if study.merl_tables and not document.get(MERL) else [])


def differs(one: Planned, path: Path, store: str) -> list[str]:
    """Differences between the JSON and this run on the store of that fingerprint; none means the run is finished."""
    if not path.exists():
        return ["not run yet"]
    now = short_fields(json.loads(json.dumps(flat(one.config.to_dict()))))
    document = read_document(path)
    if document.get(STORE, store) != store:
        return [
            f"the store holds other records than those it was trained on (fingerprint {document[STORE]} -> {store})"
        ]
    before = short_fields(learned_config(document))
    for name in NEUTRAL.keys() - now.keys() - renamed(document["config"], "the JSON of a finished run").keys():
        del before[name]  # of another method
    names = sorted(name for name in {*before, *now} if not name.startswith(UNLEARNED))
    return [f"{n}: {before.get(n)} -> {now.get(n)}" for n in names if before.get(n) != now.get(n)]


def seeds_lost(table: Path, rows: Sequence[dict]) -> list[str]:
    """Grid rows of the table there that would have fewer seeds, or none, in a table of these rows."""
    if not table.exists():
        return []
    before, now = _seeds(read_document(table)["rows"]), _seeds(rows)
    return [f"{row}: {n} -> {now.get(row, 0)}" for row, n in before.items() if now.get(row, 0) < n]


def _seeds(rows: Sequence[dict]) -> dict[str, int]:
    most: dict[str, int] = {}
    for row in rows:
        most[row["row"]] = max(row["n_seeds"], most.get(row["row"], 0))
    return most
