"""Recordings that a Python program holds in memory, as a source: a record's location is its number."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from numbers import Real

import numpy as np

from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.sources.table_columns import TASK_NAME
from cgdmer_jax.data.splits import N_FOLDS, fold_of_patient
from cgdmer_jax.data.tables.cells import written
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.given_input import (
    Signal,
    check_unit,
    depth,
    in_order,
    lead_names,
    one_recording,
    plain_rate,
    plain_text,
)
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

SEXES = ("female", "male")


def open_source(
    signals: Signal,
    *,
    rate: float | int,
    leads: Iterable[str],
    unit: str,
    reports: Iterable | None,
    labels: object,
    patients: Iterable | None,
    folds: Iterable | None,
    ages: Iterable | None,
    sexes: Iterable | None,
    record_ids: Iterable | None,
    name: str,
    cleaning: str,
) -> Source:
    """The recordings [record][lead, time] with what belongs to each; lists are of one entry a record."""
    leads, rate = lead_names(leads), float(plain_rate(rate))
    check_unit(unit)
    if unit not in UNITS_IN_MV:
        raise CgdmerError(f'unit is "{unit:.40}".{suggest(unit, UNITS_IN_MV)}')
    if depth(signals) != 3:
        raise CgdmerError(f"signals has {depth(signals)} axes; give an array [record, lead, time] or a list of arrays")
    recordings = [*signals]
    n = len(recordings)
    ids = _ids(record_ids, "record_ids", n, range(n))
    persons = _ids(patients, "patients", n, ids)
    tasks = _tasks({} if labels is None else labels, n)
    given_folds = _each(folds, "folds", n, [fold_of_patient(person) for person in persons])
    listed = zip(
        _each(reports, "reports", n, [None] * n),
        _each(ages, "ages", n, [None] * n),
        _each(sexes, "sexes", n, [None] * n),
        strict=True,
    )
    records = [
        SourceRecord(
            record_id=ids[place],
            patient_id=persons[place],
            fold=_fold(given_folds[place], place),
            report="" if _missing(report) else written(plain_text(report, f"report {place}")),
            age=_age(age, place),
            sex=_sex(sex, place),
            device=None,
            labels={task: of_record[place] for task, (_, of_record, _) in tasks.items()},
            location=place,
        )
        for place, (report, age, sex) in enumerate(listed)
    ]
    remarks = [] if patients is not None else ["no patients were given, so each record counts as a patient of its own"]
    return Source(
        name=name,
        licence="of the owner of the data",
        citation="own data",
        records=records,
        tasks={task: classes for task, (classes, _, _) in tasks.items()},
        read=partial(read_array, recordings, rate, leads, unit),
        tables={"signals": _sha256(recordings, rate, leads, unit)},
        rate=rate,
        remarks=remarks,
        own_cleaning=cleaning,
        judged=tuple(task for task, (_, _, judged) in tasks.items() if judged),
    )


def read_array(
    recordings: list[Signal], rate: float, leads: tuple[str, ...], unit: str, record: SourceRecord
) -> Recording:
    """The recording of that number, in millivolts."""
    try:
        signal = one_recording(recordings[record.location], leads)
    except CgdmerError as error:  # of this recording alone; the others are converted
        raise RecordError(record.record_id, "signal", "format", str(error)) from error
    if len(signal) != len(leads):
        sentence = f"it has shape {list(signal.shape)} where {len(leads)} leads are named; give [lead, time]"
        raise RecordError(record.record_id, "signal", "lead_names", sentence)
    signal_mv = (signal.astype(np.float64) * UNITS_IN_MV[unit]).astype(np.float32)
    return Recording(signal_mv, rate, leads, record.record_id)


def _each(values: object, what: str, n: int, otherwise: Sequence) -> Sequence:
    """The values, one a record, as Python's own; `otherwise` where there are none."""
    if values is None:
        return otherwise
    values = [value.item() if getattr(value, "shape", None) == () else value for value in in_order(values, what)]
    if len(values) != n:
        raise CgdmerError(f"{what} has {len(values):,} entries for {n:,} recordings; give one a recording")
    return values


def _missing(value: object) -> bool:
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _ids(values: Iterable | None, what: str, n: int, otherwise: Sequence) -> list[str]:
    return [_id(value, f"{what}[{place}]") for place, value in enumerate(_each(values, what, n, otherwise))]


def _id(value: object, where: str) -> str:
    """An id as text; 7 and 7.0 are one, as a frame with gaps writes it."""
    if _missing(value) or not written(str(value)).strip():
        raise CgdmerError(f"{where} is missing; give a record whose patient is not known an id of its own")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else plain_text(str(value), where)


def _fold(value: object, place: int) -> int:
    if not isinstance(value, Real) or not float(value).is_integer():
        raise CgdmerError(f"folds[{place}] is {value!r:.40}; give a whole number from 1 to {N_FOLDS}")
    return int(value)


def _age(value: object, place: int) -> float | None:
    try:
        return None if _missing(value) else float(value)
    except (TypeError, ValueError) as error:
        raise CgdmerError(f"ages[{place}] is no number; give years, or None where it is not known") from error


def _sex(value: object, place: int) -> str | None:
    if not _missing(value) and not (isinstance(value, str) and value in SEXES):
        raise CgdmerError(f'sexes[{place}] is {value!r:.40}; give "female", "male" or None')
    return None if _missing(value) else value


def _tasks(labels: object, n: int) -> dict[str, tuple]:
    if not isinstance(labels, Mapping):
        raise CgdmerError(f'labels is a {type(labels).__name__}; give a mapping by task, as {{"rhythm": [...]}}')
    for task in labels:
        if not (isinstance(task, str) and TASK_NAME.fullmatch(task)):
            raise CgdmerError(f'labels has the task {task!r:.80}; name it with letters, digits, "_", "-" and "."')
    return {task: _task(given, task, n) for task, given in labels.items()}


def _task(given: object, task: str, n: int) -> tuple[tuple[LabelClass, ...], list[tuple[str, ...] | None], bool]:
    """Classes of a task, the codes of each record, and whether a record without code is of none of the classes.

    `given`: the classes of each record (a name, several, or None: not judged), or for each class 0 or 1 a record.
    """
    what = f'labels["{task}"]'
    if isinstance(given, Mapping):
        columns = {str(code): _each(marks, f'{what}["{code}"]', n, ()) for code, marks in given.items()}
        wrong = next((code for code, marks in columns.items() for mark in marks if mark not in (0, 1)), None)
        if wrong is not None or not columns:
            raise CgdmerError(f'{what}["{wrong}"] holds something else than 0 and 1; give one of them a recording')
        codes = [tuple(sorted(code for code, marks in columns.items() if marks[place])) for place in range(n)]
        return tuple(LabelClass(code, code) for code in sorted(columns)), codes, True
    of_record: list[tuple[str, ...] | None] = []
    for place, said in enumerate(_each(given, what, n, ())):
        names = (
            () if _missing(said) else (said,) if isinstance(said, str) else tuple(in_order(said, f"{what}[{place}]"))
        )
        codes = {written(plain_text(name, f"{what}[{place}]")).strip() for name in names}
        of_record.append(tuple(sorted(codes - {""})))
    every = sorted({code for codes in of_record for code in codes or ()})
    if not every:
        raise CgdmerError(f"{what} holds no label; leave the task out")
    return tuple(LabelClass(code, code) for code in every), of_record, False


def _sha256(recordings: list[Signal], rate: float, leads: tuple[str, ...], unit: str) -> str:
    """Hash of all samples: an interrupted conversion goes on with the very same ones alone."""
    digest = hashlib.sha256(repr((rate, leads, unit)).encode())
    for signal in recordings:
        try:
            array = one_recording(signal, leads)
            digest.update(f"{array.shape} {array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        except CgdmerError as error:  # is told when it is read
            digest.update(str(error).encode())
    return digest.hexdigest()
