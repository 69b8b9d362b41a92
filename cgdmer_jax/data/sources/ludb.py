"""LUDB 1.0.1, Lobachevsky University Electrocardiography Database (Kalyakulina et al. 2020): a record of each subject.

Labels are the statements of ludb.csv. The marks of P, QRS and T lie beside the recordings, a file a lead (.i, ...).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from cgdmer_jax.data.readers.record_files import listed_path
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb_annotations import read_waves
from cgdmer_jax.data.sources import wfdb_folder
from cgdmer_jax.data.sources.patient_facts import age_of, sex_of
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.tables.table import TableFile, read_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.lead_names import LEADS

TABLE = "ludb.csv"
REMEDY = "restore the published table"
ENDINGS = {lead: lead.lower() for lead in LEADS}  # of the files of marks
WALLS = ("anterior wall", "lateral wall", "septal", "inferior wall", "posterior wall", "apical")
# task -> its column, what stands before a statement, and the beginnings of statements in lower case, one a class.
TASKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "rhythm": (
        "Rhythms",
        "",
        (
            "sinus rhythm",
            "sinus tachycardia",
            "sinus bradycardia",
            "sinus arrhythmia",
            "irregular sinus rhythm",
            "atrial fibrillation",
            "atrial flutter, typical",
            "wandering atrial pacemaker",
            "aberrant conduction",
        ),
    ),
    "axis": (
        "Electric axis of the heart",
        "electric axis of the heart: ",
        ("normal", "left axis deviation", "vertical", "horizontal", "right axis deviation"),
    ),
    "conduction": (
        "Conduction abnormalities",
        "",
        (
            "sinoatrial blockade, undefined",
            "i degree av block",
            "iii degree av-block",
            "incomplete right bundle branch block",
            "incomplete left bundle branch block",
            "left anterior hemiblock",
            "complete right bundle branch block",
            "complete left bundle branch block",
            "non-specific intravintricular conduction delay",
        ),
    ),
    "extrasystole": ("Extrasystolies", "", ("atrial extrasystole", "ventricular extrasystole")),
    "hypertrophy": (
        "Hypertrophies",
        "",
        (
            "right atrial hypertrophy",
            "left atrial hypertrophy",
            "right atrial overload",
            "left atrial overload",
            "left ventricular hypertrophy",
            "right ventricular hypertrophy",
            "left ventricular overload",
        ),
    ),
    "pacing": (
        "Cardiac pacing",
        "",
        (
            "unipolar atrial pacing",
            "unipolar ventricular pacing",
            "bipolar ventricular pacing",
            "biventricular pacing",
            "p-synchrony",
            "pacemaker presence, undefined",
        ),
    ),
    "ischemia": (
        "Ischemia",
        "",
        ("stemi", "ischemia", "scar formation", "undefined ischemia/scar/supp.nstemi"),
    ),
    "repolarization": (
        "Non-specific repolarization abnormalities",
        "non-specific repolarization abnormalities: ",
        WALLS,
    ),
    "other": ("Other states", "", ("early repolarization syndrome",)),
}
NAMES = {  # where the statement is no name
    "i degree av block": "first-degree AV block",
    "iii degree av-block": "third-degree AV block",
    "non-specific intravintricular conduction delay": "non-specific intraventricular conduction delay",
    "stemi": "ST-elevation myocardial infarction",
    "undefined ischemia/scar/supp.nstemi": "ischemia, scar or supposed non-ST-elevation myocardial infarction",
    "normal": "normal electrical axis",
    "vertical": "vertical electrical axis",
    "horizontal": "horizontal electrical axis",
    **{wall: f"non-specific repolarization abnormality, {wall}" for wall in WALLS},
}


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The folder that holds ludb.csv and data/; all records are judged in every task."""
    if not (root / TABLE).is_file():
        raise CgdmerError(f"{TABLE} is not in {root}; --root is the folder of LUDB that holds it")
    table = read_table(root / TABLE, ["ID", "Sex", "Age", *(column for column, _, _ in TASKS.values())], REMEDY)
    return Source(
        name="ludb",
        licence="ODC-BY 1.0",
        citation=(
            "Kalyakulina, Yusipov, Moskalenko, Nikolskiy, Kosonogov, Osipov, Zolotykh, Ivanchenko: LUDB: A New "
            "Open-Access Validation Tool for Electrocardiogram Delineation Algorithms. IEEE Access 8:186181-186190 "
            "(2020); PhysioNet, doi:10.13026/eegm-h675"
        ),
        records=[_record(table, place, line) for place, line in enumerate(table.lines)],
        tasks={
            task: tuple(LabelClass(code, NAMES.get(code, code)) for code in codes)
            for task, (_, _, codes) in TASKS.items()
        },
        read=partial(_read, root, follow_links),
        tables={TABLE: table.sha256},
        rate=500.0,
        remarks=[
            "the gain of each lead is its own range, so that it spans 1 mV: amplitudes say nothing, and limb leads "
            "contradict each other"
        ],
        folder=root / "data",
        waves=True,
        judged=tuple(TASKS),
    )


def _read(root: Path, follow_links: bool, record: SourceRecord) -> Recording:
    """The recording with its waves; a file of marks that cannot be read costs those of its lead alone."""
    recording = wfdb_folder.read_recording(root, follow_links, record)
    path = listed_path(root, record.location, record.record_id)
    length = recording.signal_mv.shape[1]
    waves = read_waves(path, ENDINGS, recording.rate, length, None if follow_links else root)
    return replace(recording, waves=waves)


def _record(table: TableFile, place: int, line: dict[str, str]) -> SourceRecord:
    """One line of ludb.csv; a cell has one statement a line."""
    number = line["ID"].strip()
    if not number.isdecimal():
        raise CgdmerError(f"{table.at(place, 'ID')} no number of a recording; {REMEDY}")
    labels = {task: _codes(table, place, line, task) for task in TASKS}
    return SourceRecord(
        record_id=number,
        patient_id=number,
        fold=fold_of_patient(number),
        report="",
        age=age_of(line["Age"]),  # ">89" is above what is published
        sex=sex_of(line["Sex"]),
        device=None,
        labels=labels,
        location=f"data/{number}",
    )


def _codes(table: TableFile, place: int, line: dict[str, str], task: str) -> tuple[str, ...]:
    column, before, codes = TASKS[task]
    statements = [said.strip().casefold().removeprefix(before) for said in line[column].splitlines() if said.strip()]
    for said in statements:
        if not said.startswith(codes):
            raise CgdmerError(f"{table.at(place, column)} a statement that LUDB 1.0.1 does not have; {REMEDY}")
    return tuple(code for code in codes if any(said.startswith(code) for said in statements))
