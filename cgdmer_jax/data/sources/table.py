"""Anybody's own data: recordings of any readable format below a folder, and a table of what belongs to each.

Which column says what is named by the user (`table_columns.py`); nothing is guessed from names.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.sources.source import HINTS, OLDEST, Source, SourceRecord
from cgdmer_jax.data.sources.table_columns import LABELS, Mapping, columns_of
from cgdmer_jax.data.sources.table_files import read_listed
from cgdmer_jax.data.sources.table_labels import Labels, labels_of
from cgdmer_jax.data.splits import N_FOLDS, fold_of_patient, fold_of_split
from cgdmer_jax.data.tables.cells import number
from cgdmer_jax.data.tables.table import TableFile, read_table
from cgdmer_jax.errors import CgdmerError

REMEDY = "correct the table, or name another with --table"
REMEDY_OF_COLUMN = "name one that it has with --columns"
SEXES = {"female": ("f", "female", "w", "weiblich", "woman"), "male": ("m", "male", "mann", "männlich", "man")}
SEX_UNKNOWN = ("", "u", "unknown", "x", "o", "other", "d", "divers")
SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "holdout"),
}
# Remarks that matter to pretraining and evaluation alone, which have splits.
NO_SPLITS = "no column names folds or splits, so a tenth of the patients, by hash, is in each fold"
NO_VALIDATION = "no record is of the validation split: a ninth of the training patients, by hash, makes it up"
_WHOLE = re.compile(r"^(\d+)\.0+$", re.ASCII)  # how a frame writes 15709 in a column that has a gap


class Understood(NamedTuple):
    """A user's table as it was understood: the source that is converted, and what a dry run shows of it.

    `file_column`: the column that names the recordings' files.
    """

    source: Source
    table: TableFile
    file_column: str
    labels: dict[str, Labels]


def open_table(
    root: Path,
    file: Path,
    mapping: Mapping,
    *,
    name: str,
    cleaning: str,
    hints: Hints,
    follow_links: bool = False,
) -> Understood:
    """The records of that table, whose recordings lie below the root.

    `name`: of the collection, which keeps its patients apart from those of others. `cleaning`: rules of
    data/text/own_cleaning.py. `hints`: what recordings without a header leave unsaid.
    """
    named = mapping.fields | {f"{LABELS}{task}": columns for task, columns in mapping.tasks.items()}
    columns: dict[str, list[str]] = {}

    def needed(there: tuple[str, ...]) -> list[str]:
        columns.update({field: columns_of(one, there) for field, one in named.items()})
        return list(dict.fromkeys(chain.from_iterable(columns.values())))

    table = read_table(file, needed, REMEDY, REMEDY_OF_COLUMN)
    for field, of_field in columns.items():
        if len(of_field) > 1 and field != "report" and not field.startswith(LABELS):
            raise CgdmerError(f"--columns joins several columns as {field}; name one of them")
    if not table.lines:
        raise CgdmerError(f"{file} has no line below its header; {REMEDY}")
    remarks = list(table.remarks)
    cells = {field: _joined(table, of_field) for field, of_field in columns.items() if not field.startswith(LABELS)}
    ids = _ids(table, columns["record"][0])
    patients = _patients(table, columns["patient"][0]) if "patient" in columns else ids
    if patients is ids:
        remarks.append("no column names the patients, so each record counts as a patient of its own")
    folds = _folds(table, columns, patients, remarks)
    labels = {task: labels_of(table, task, columns[f"{LABELS}{task}"]) for task in mapping.tasks}
    nothing = [""] * len(ids)
    ages = _read(table, columns.get("age"), partial(_age, comma=table.form.decimal_comma), f"no age of 0 to {OLDEST}")
    sexes = _read(table, columns.get("sex"), _sex, 'no sex that is known; write "female", "male" or nothing')
    records = [
        SourceRecord(
            record_id=ids[place],
            patient_id=patients[place],
            fold=folds[place],
            report=cells.get("report", nothing)[place],
            age=ages[place],
            sex=sexes[place],
            device=cells.get("device", nothing)[place].strip() or None,
            labels={task: found.of_line[place] for task, found in labels.items()},
            location=ids[place],
        )
        for place in range(len(ids))
    ]
    tables = {file.name: table.sha256}
    if hints != Hints():
        tables[HINTS] = hashlib.sha256(repr(hints).encode()).hexdigest()
    source = Source(
        name=name,
        licence="of the owner of the data",
        citation="own data",
        records=records,
        tasks={task: found.classes for task, found in labels.items()},
        read=partial(read_listed, root, hints, follow_links),
        tables=tables,
        rate=None,
        remarks=remarks,
        folder=root,
        own_cleaning=cleaning,
        lines=table.numbers,
        judged=tuple(task for task, found in labels.items() if found.judged),
    )
    return Understood(source, table, columns["record"][0], labels)


def _joined(table: TableFile, columns: list[str]) -> list[str]:
    """Cell of each line; of several columns what is written in any, with a blank between."""
    if len(columns) == 1:
        return [line[columns[0]] for line in table.lines]
    return [" ".join(line[column] for column in columns if line[column].strip()) for line in table.lines]


def _ids(table: TableFile, column: str) -> list[str]:
    ids = [line[column].strip() for line in table.lines]
    if "" in ids:
        raise CgdmerError(f"{table.at(ids.index(''), column)} no file is named; {REMEDY}")
    once, count = Counter(ids).most_common(1)[0]
    if count > 1:
        first = ids.index(once)
        again = table.numbers[ids.index(once, first + 1)]
        raise CgdmerError(f"{table.at(first, column)} line {again:,} names the same recording again; {REMEDY}")
    return ids


def _patients(table: TableFile, column: str) -> list[str]:
    patients = [_WHOLE.sub(r"\1", line[column].strip()) for line in table.lines]
    if "" in patients:
        raise CgdmerError(
            f"{table.at(patients.index(''), column)} no patient is named; give a record whose patient is not known an "
            "id of its own"
        )
    return patients


def _read(table: TableFile, columns: list[str] | None, read: Callable, problem: str) -> list:
    """Value of each cell, None where nothing is written; `read` raises ValueError of what is none."""
    if columns is None:
        return [None] * len(table.lines)
    values, faults = [], []
    for place, line in enumerate(table.lines):
        try:
            values.append(read(line[columns[0]].strip()))
        except ValueError:
            faults.append(place)
    if faults:
        more = f" (and {len(faults) - 1:,} more lines)" if len(faults) > 1 else ""
        raise CgdmerError(f"{table.at(faults[0], columns[0])} {problem}{more}; {REMEDY}")
    return values


def _age(cell: str, comma: bool) -> float | None:
    if not cell:
        return None
    age = number(cell, decimal_comma=comma)
    if age is None or not 0 <= age <= OLDEST:
        raise ValueError
    return float(age)


def _sex(cell: str) -> str | None:
    word = cell.casefold()
    if word in SEX_UNKNOWN:
        return None
    return _word_of(word, SEXES)


def _word_of(word: str, known: dict[str, tuple[str, ...]]) -> str:
    for meaning, words in known.items():
        if word.casefold() in words:
            return meaning
    raise ValueError


def _whole_fold(cell: str) -> int:
    fold = number(cell)
    if fold is None or fold not in range(1, N_FOLDS + 1):
        raise ValueError
    return int(fold)


def _folds(table: TableFile, columns: dict[str, list[str]], patients: list[str], remarks: list[str]) -> list[int]:
    """Fold of every line; whole patients stay together where the table gives none, or the split alone."""
    if "fold" in columns:
        given = _read(table, columns["fold"], _whole_fold, f"no fold from 1 to {N_FOLDS}")
        _check_patients(table, columns["fold"][0], "fold", patients, given)
        return given
    if "split" not in columns:
        remarks.append(NO_SPLITS)
        return [fold_of_patient(patient) for patient in patients]
    splits = _read(
        table, columns["split"], partial(_word_of, known=SPLITS), "no split; write train, validation or test"
    )
    _check_patients(table, columns["split"][0], "split", patients, splits)
    with_validation = "validation" in splits
    if not with_validation:
        remarks.append(NO_VALIDATION)
    return [fold_of_split(split, patient, with_validation) for split, patient in zip(splits, patients, strict=True)]


def _check_patients(table: TableFile, column: str, what: str, patients: list[str], given: list) -> None:
    """Raises where a patient has records in two folds or splits: a leak between them."""
    first: dict[str, int] = {}
    for place, patient in enumerate(patients):
        other = first.setdefault(patient, place)
        if given[other] != given[place]:
            raise CgdmerError(
                f"{table.at(place, column)} another {what} than line {table.numbers[other]:,}, which is of the same "
                f"patient; give every record of a patient the same {what}"
            )
