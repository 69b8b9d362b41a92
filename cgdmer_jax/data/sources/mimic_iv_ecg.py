"""MIMIC-IV-ECG 1.0 as published on PhysioNet (Gow et al. 2023): reports are the statements of the recording machine.

`record_list.csv` lists the recordings, `machine_measurements.csv` has up to 18 statements for each. The two are joined
by `study_id` and never by the place of their lines. Folds are of subjects. Neither age nor sex is published with it.
"""

import re
from functools import partial
from pathlib import Path

from cgdmer_jax.data.sources import wfdb_folder
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.tables.table import TableFile, read_table
from cgdmer_jax.errors import CgdmerError

RECORDS = "record_list.csv"
MEASUREMENTS = "machine_measurements.csv"
STATEMENTS = [f"report_{number}" for number in range(18)]
NEEDED = {RECORDS: ["subject_id", "study_id", "path"], MEASUREMENTS: ["subject_id", "study_id", *STATEMENTS]}
RESTORE = "restore the published table"
MERL_WORDS = 4  # MERL leaves out reports of fewer words
MERL_COUNT = 771_693  # reports that MERL's notebook says must remain of 800,035
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


def open_source(root: Path, rate: int, *, follow_links: bool = False, least_words: int = 0) -> Source:
    """Every listed recording; with `least_words`, those alone whose report has that many."""
    listed, measured = (_table(root, name) for name in (RECORDS, MEASUREMENTS))
    reports, subjects = _reports(measured)
    del measured.lines[:]  # a gigabyte, of the complete table
    records, n_long = [], 0
    for line in listed.lines:
        record = _record(line, reports)
        if subjects.get(record.record_id, record.patient_id) != record.patient_id:
            raise CgdmerError(
                f"study {record.record_id} is of subject {record.patient_id} in {RECORDS} and of another in "
                f"{MEASUREMENTS}; restore the published tables"
            )
        long_enough = n_words(record.report) >= MERL_WORDS
        n_long += long_enough
        if n_words(record.report) >= least_words:
            records.append(record)
    remarks = [
        f"{n_long:,} of {len(listed.lines):,} reports have {MERL_WORDS} words or more; of the complete collection MERL "
        f"counts {MERL_COUNT:,} and leaves out the others"
    ]
    if n_without := sum(line["study_id"].strip() not in reports for line in listed.lines):
        remarks.append(f"{n_without:,} recordings have no line in {MEASUREMENTS} and so no report")
    if least_words:
        remarks.append(f"{len(listed.lines) - len(records):,} recordings were left out for their short reports")
    return Source(
        name="mimic-iv-ecg",
        licence="ODbL 1.0",
        citation=(
            "Gow, Pollard, Nathanson, Johnson, Moody, Fernandes, Greenbaum, Waks, Eslami, Carbonati, Chaudhari, "
            "Herbst, Moukheiber, Berkowitz, Mark, Horng: MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched Subset "
            "(version 1.0). PhysioNet (2023), doi:10.13026/4nqg-sb35"
        ),
        records=records,
        tasks={},
        read=partial(wfdb_folder.read_recording, root, follow_links),
        tables={RECORDS: listed.sha256, MEASUREMENTS: measured.sha256},
        rate=500.0,
        remarks=remarks,
        folder=root / "files",
    )


def open_as_merl(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The recordings that MERL pretrains on: reports of four words or more."""
    return open_source(root, rate, follow_links=follow_links, least_words=MERL_WORDS)


def read_reports(root: Path) -> list[tuple[int, str]]:
    """Fold and joined report of every listed record; the tables alone are enough, no recording is needed."""
    return [(record.fold, record.report) for record in open_source(root, 500).records]


def join(statements: list[str]) -> str:
    """One report from the statements of the machine, in their order; each is its own sentence."""
    return ". ".join(statement.strip() for statement in statements if statement.strip())


def n_words(report: str) -> int:
    """Words of a joined report as MERL counts them: its marks around the text are none, those inside it are."""
    return len(report.strip(" *").strip("=-").split())


def _table(root: Path, name: str) -> TableFile:
    if not (root / name).is_file():
        raise CgdmerError(f"{name} is not in {root}; --root is the folder of MIMIC-IV-ECG that holds {RECORDS}")
    return read_table(root / name, NEEDED[name], RESTORE)


def _reports(measured: TableFile) -> tuple[dict[str, str], dict[str, str]]:
    """Report and subject by study."""
    reports: dict[str, str] = {}
    subjects: dict[str, str] = {}
    texts: dict[str, str] = {}  # 800,035 studies have some 180,000 different reports
    for line in measured.lines:
        study = _number(line, "study_id", MEASUREMENTS)
        if study in reports:
            raise CgdmerError(f"{MEASUREMENTS} has two lines of study {study}; {RESTORE}")
        text = join([line[name] for name in STATEMENTS])
        reports[study] = texts.setdefault(text, text)
        subjects[study] = _number(line, "subject_id", MEASUREMENTS)
    return reports, subjects


def _record(line: dict[str, str], reports: dict[str, str]) -> SourceRecord:
    """One line of record_list.csv."""
    study, subject = (_number(line, column, RECORDS) for column in ("study_id", "subject_id"))
    if not _PATH.fullmatch(line["path"]):
        raise CgdmerError(f"{RECORDS}: study {study} has no readable path; {RESTORE}")
    return SourceRecord(
        record_id=study,
        patient_id=subject,
        fold=fold_of_patient(subject),
        report=reports.get(study, ""),
        age=None,
        sex=None,
        device=None,
        labels={},
        location=line["path"],
    )


def _number(line: dict[str, str], column: str, table: str) -> str:
    """An id as it is written; pandas would write it with ".0" in a column that has gaps."""
    number = line[column].strip().removesuffix(".0")
    if not _NUMBER.fullmatch(number):
        raise CgdmerError(f'{table} has a line whose {column} is "{number:.40}", expected a number; {RESTORE}')
    return number
