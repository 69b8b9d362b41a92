"""CODE-15 % (Ribeiro et al. 2021, Zenodo 4916206): exams.csv and exams_part0.hdf5 to exams_part17.hdf5.

Six abnormalities, each judged in every exam: one without any of them is scored as a negative of all.
"""

from functools import partial
from pathlib import Path

from cgdmer_jax.data.sources.hdf5_records import read_member
from cgdmer_jax.data.sources.patient_facts import age_of
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.tables.cells import yes_or_no
from cgdmer_jax.data.tables.table import TableFile, read_table
from cgdmer_jax.errors import CgdmerError

TABLE = "exams.csv"
REMEDY = "restore the published table"
TASK = "abnormalities"
CLASSES = {
    "1dAVb": "first-degree AV block",
    "RBBB": "right bundle branch block",
    "LBBB": "left bundle branch block",
    "SB": "sinus bradycardia",
    "AF": "atrial fibrillation",
    "ST": "sinus tachycardia",
}
TASKS = {TASK: tuple(LabelClass(code, name) for code, name in CLASSES.items())}
SEX = {True: "male", False: "female", None: None}


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The folder that holds exams.csv and the HDF5 files, or some of them with --partial."""
    if not (root / TABLE).is_file():
        raise CgdmerError(f"{TABLE} is not in {root}; --root is the folder of CODE-15 % that holds it")
    table = read_table(root / TABLE, ["exam_id", "age", "is_male", "patient_id", "trace_file", *CLASSES], REMEDY)
    return Source(
        name="code15",
        licence="CC BY 4.0",
        citation=(
            "Ribeiro, Paixao, Lima, Horta Ribeiro, Pinto Filho, Gomes, Oliveira, Meira Jr, Schon, Ribeiro: CODE-15%: a "
            "large scale annotated dataset of 12-lead ECGs. Zenodo (2021), doi:10.5281/zenodo.4916206"
        ),
        records=[_record(table, place, line) for place, line in enumerate(table.lines)],
        tasks=TASKS,
        read=partial(read_member, root, follow_links),
        tables={TABLE: table.sha256},
        rate=400.0,
        folder=root,
        judged=(TASK,),
    )


def abnormalities(table: TableFile, place: int, line: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """The classes whose column says yes; a cell that says neither yes nor no raises."""
    found = {code: yes_or_no(line[code]) for code in CLASSES}
    for code, answer in found.items():
        if answer is None:
            raise CgdmerError(f"{table.at(place, code)} neither true nor false; {REMEDY}")
    return {TASK: tuple(code for code, answer in found.items() if answer)}


def _record(table: TableFile, place: int, line: dict[str, str]) -> SourceRecord:
    """One line of exams.csv."""
    exam, patient = (line[column].strip().removesuffix(".0") for column in ("exam_id", "patient_id"))
    for column, number in (("exam_id", exam), ("patient_id", patient)):
        if not number.isdecimal():
            raise CgdmerError(f"{table.at(place, column)} no number; {REMEDY}")
    return SourceRecord(
        record_id=exam,
        patient_id=patient,
        fold=fold_of_patient(patient),
        report="",
        age=age_of(line["age"]),
        sex=SEX[yes_or_no(line["is_male"])],
        device=None,
        labels=abnormalities(table, place, line),
        location=(line["trace_file"].strip(), exam),
    )
