"""MERL's published split tables as they are (Liu et al., ICML 2024; docs/evaluation.md, "Protocol merl").

Eighteen CSV files: train, val and test of six tasks. The release reads labels by the place of their column,
`iloc[:, 6:]`, so a table keeps the order of its own header, and `exact` says what should have stood there:
- `sub`: AVB, RAO/RAE, ISC of the train header are ISC, AVB, RAO/RAE in val and test;
- `csn`: a class was set wherever its acronym is a substring of the record's diagnoses.
Codes are PTB-XL's without underscores (AVB for _AVB).
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8

from cgdmer_jax.data.splits import N_FOLDS, fold_of_patient, in_folds, probe_folds
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.data.text.prompts import RESTORE
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import parse_json, read_bounded

PARTS = ("train", "val", "test")
UPSTREAM = "cheliu-computation/MERL-ICML2024"
TABLES_ARE = (
    f"--tables is a copy of finetune/data_split of {UPSTREAM} (ptbxl/, icbeb/, chapman/) with that repository's "
    "zeroshot/CKEPE_prompt.json put into it"
)
EXACT = "_exact"  # ends the name of a task whose labels were corrected


@dataclass(frozen=True)
class Layout:
    """The three files of a task and their columns."""

    collection: str  # name of the store that holds its recordings
    stem: str  # path without _train.csv
    n_before: int  # columns before the labels
    record_id: Callable[[dict[str, str]], str]
    fold: Callable[[dict[str, str]], int]


def _ptbxl(name: str) -> Layout:
    stem = f"ptbxl/{name}/ptbxl_{name}"
    return Layout("ptbxl", stem, 6, lambda line: line["ecg_id"], lambda line: int(line["strat_fold"]))


def _file_name(line: dict[str, str]) -> str:
    return Path(line["ecg_path"]).stem


# Where nobody published folds they are drawn from the record's name: every record is its own patient there.
LAYOUTS = {
    "super": _ptbxl("super_class"),
    "sub": _ptbxl("sub_class"),
    "form": _ptbxl("form"),
    "rhythm": _ptbxl("rhythm"),
    "cpsc2018": Layout(
        "cpsc2018", "icbeb/icbeb", 7, lambda line: line["filename"], lambda line: fold_of_patient(line["filename"])
    ),
    "csn": Layout("csn", "chapman/chapman", 3, _file_name, lambda line: fold_of_patient(_file_name(line))),
}


@dataclass(frozen=True)
class Part:
    """One file, in the order of its lines and columns."""

    classes: tuple[str, ...]
    record_id: tuple[str, ...]  # PTB-XL's ecg_id; A0001 of CPSC2018; JS00001 of CSN
    fold: Int8[np.ndarray, "record"]  # 1..10
    labels: Bool[np.ndarray, "record klass"]
    diagnoses: tuple[str, ...]  # CSN's acronyms, joined by commas; empty elsewhere


@dataclass(frozen=True)
class SplitTable:
    """The three parts of one task."""

    task: str
    collection: str
    parts: dict[str, Part]

    @property
    def classes(self) -> tuple[str, ...]:
        """As the train file orders them, which is what a probe fitted on it calls its outputs."""
        return self.parts["train"].classes


def read_tables(folder: Path, collection: str | None = None) -> list[SplitTable]:
    """The tasks of one collection (None: all six), each followed by its exact labels where the two differ."""
    tables = []
    for task, layout in LAYOUTS.items():
        if collection in (None, layout.collection):
            released = SplitTable(task, layout.collection, {part: _read(folder, task, part) for part in PARTS})
            _check(released, folder)
            tables.append(released)
            if (corrected := exact(released)) is not None:
                tables.append(corrected)
    return tables


def tables_sha256(folder: Path, collection: str) -> str:
    """Hash of a collection's files, which results carry."""
    stems = [layout.stem for layout in LAYOUTS.values() if layout.collection == collection]
    files = [folder / f"{stem}_{part}.csv" for stem in stems for part in PARTS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def exact(table: SplitTable) -> SplitTable | None:
    """The same records, each label under the class of its name and, of CSN, by whole acronyms; None if all are so."""
    parts = {name: _exact(part, table.classes) for name, part in table.parts.items()}
    if all(np.array_equal(part.labels, parts[name].labels) for name, part in table.parts.items()):
        return None
    return replace(table, task=table.task + EXACT, parts=parts)


class Role(NamedTuple):
    """Records of each part."""

    part: Part
    kept: Bool[np.ndarray, "record"]


def roles(table: SplitTable, split: str) -> dict[str, Role]:
    """Records by role: fit, choose, score.

    `test` is the release's use of its tables. `validation` never opens the test part: it scores the val part, and
    chooses on fold 8 of the train part.
    """
    train, val, test = (table.parts[name] for name in PARTS)
    if split == "test":
        every = {"fit": train, "choose": val, "score": test}
        return {name: Role(part, np.ones(len(part.fold), bool)) for name, part in every.items()}
    held_out = in_folds(train.fold, probe_folds(split).choose)
    score = Role(val, np.ones(len(val.fold), bool))
    return {"fit": Role(train, ~held_out), "choose": Role(train, held_out), "score": score}


def _exact(part: Part, classes: Sequence[str]) -> Part:
    if any(part.diagnoses):
        held = [set(text.split(",")) for text in part.diagnoses]
        labels = np.array([[name in of_record for name in classes] for of_record in held], bool)
    else:
        labels = part.labels[:, [part.classes.index(name) for name in classes]]
    return replace(part, classes=tuple(classes), labels=labels)


def _read(folder: Path, task: str, part: str) -> Part:
    layout = LAYOUTS[task]
    file = folder / f"{layout.stem}_{part}.csv"
    if not os.path.isfile(file):
        raise CgdmerError(f"{file} is missing; {TABLES_ARE}")
    table = read_table(file, (), "restore the published table")
    classes, lines = table.columns[layout.n_before :], table.lines
    values = [[line[name] for name in classes] for line in lines]
    for number, of_line in enumerate(values, start=2):
        if not set(of_line) <= {"0", "1"}:
            raise CgdmerError(f"{file}, line {number}: a label is neither 0 nor 1; restore the published table")
    try:
        read = Part(
            classes,
            tuple(layout.record_id(line) for line in lines),
            np.array([layout.fold(line) for line in lines], np.int8),
            (np.array(values, dtype="U1") == "1").reshape(len(lines), len(classes)),
            tuple(line["diagnose"] for line in lines) if task == "csn" else ("",) * len(lines),
        )
    except (KeyError, ValueError, OverflowError) as error:
        raise CgdmerError(f"{file} cannot be read ({error}); restore the published table") from error
    if np.any((read.fold < 1) | (read.fold > N_FOLDS)):
        raise CgdmerError(f"{file} has a fold that is not 1 to {N_FOLDS}; restore the published table")
    return read


def _check(table: SplitTable, folder: Path) -> None:
    """Parts of the same classes, in whatever order, and no record twice."""
    for name, part in table.parts.items():
        if sorted(part.classes) != sorted(table.classes):
            raise CgdmerError(
                f"task {table.task} has other classes in its {name} table than in train; "
                f"restore the published tables in {folder}"
            )
    ids = [record for part in table.parts.values() for record in part.record_id]
    if len(set(ids)) < len(ids):
        raise CgdmerError(f"the tables of {table.task} in {folder} name a record twice; restore the published tables")


CKEPE = "CKEPE_prompt.json"  # put beside MERL's split tables, see TABLES_ARE


def published_prompts(tables: Path, classes: Sequence[str]) -> list[str]:
    """MERL's own, one a class: a string of comma-joined phrases, lower-cased as the release does."""
    prompts = read_published(tables)
    if unknown := [name for name in classes if name not in prompts]:
        raise CgdmerError(f"{tables / CKEPE} has no prompt for the class {unknown[0]}; {RESTORE}")
    return [prompts[name] for name in classes]


def read_published(tables: Path) -> dict[str, str]:
    """MERL's prompts by class, lower-cased."""
    prompts = parse_json(_ckepe(tables), tables / CKEPE, remedy=RESTORE)
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str) for prompt in prompts.values()):
        raise CgdmerError(f"{tables / CKEPE} does not hold one text for each class; {RESTORE}")
    return {name: prompt.lower() for name, prompt in prompts.items()}


def published_prompts_sha256(tables: Path) -> str:
    """Hash of MERL's prompt file."""
    return hashlib.sha256(_ckepe(tables)).hexdigest()


def _ckepe(tables: Path) -> bytes:
    return read_bounded(tables / CKEPE, remedy=TABLES_ARE)
