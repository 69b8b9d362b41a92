"""SPH, Shandong Provincial Hospital (Liu et al. 2022, Figshare): metadata.csv and records/A00001.h5, 500 Hz.

Labels are the primary statements of the AHA/ACC/HRS recommendations; what modifies one (the numbers after a "+") is no
class of its own.
"""

import re
from functools import partial
from pathlib import Path

from cgdmer_jax.data.sources.hdf5_records import read_member
from cgdmer_jax.data.sources.patient_facts import age_of, sex_of
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.tables.table import TableFile, read_table
from cgdmer_jax.errors import CgdmerError

TABLE = "metadata.csv"
REMEDY = "restore the published table"
TASK = "aha"
STATEMENTS = {
    "1": "normal ECG",
    "21": "sinus tachycardia",
    "22": "sinus bradycardia",
    "23": "sinus arrhythmia",
    "30": "atrial premature complexes",
    "31": "atrial premature complexes, nonconducted",
    "36": "junctional premature complexes",
    "37": "junctional escape complexes",
    "50": "atrial fibrillation",
    "51": "atrial flutter",
    "54": "junctional tachycardia",
    "60": "ventricular premature complexes",
    "80": "short PR interval",
    "81": "AV conduction ratio N:D",
    "82": "prolonged PR interval",
    "83": "second-degree AV block, Mobitz type I (Wenckebach)",
    "84": "second-degree AV block, Mobitz type II",
    "85": "2:1 AV block",
    "86": "AV block, varying conduction",
    "87": "AV block, advanced (high-grade)",
    "88": "AV block, complete (third-degree)",
    "101": "left anterior fascicular block",
    "102": "left posterior fascicular block",
    "104": "left bundle branch block",
    "105": "incomplete right bundle branch block",
    "106": "right bundle branch block",
    "108": "ventricular preexcitation",
    "120": "right axis deviation",
    "121": "left axis deviation",
    "125": "low voltage",
    "140": "left atrial enlargement",
    "142": "left ventricular hypertrophy",
    "143": "right ventricular hypertrophy",
    "145": "ST deviation",
    "146": "ST deviation with T-wave change",
    "147": "T-wave abnormality",
    "148": "prolonged QT interval",
    "152": "TU fusion",
    "153": "ST-T change due to ventricular hypertrophy",
    "155": "early repolarization",
    "160": "anterior myocardial infarction",
    "161": "inferior myocardial infarction",
    "165": "anteroseptal myocardial infarction",
    "166": "extensive anterior myocardial infarction",
}
_CODES = re.compile(r"\d{1,3}(\+\d{1,3})*(;\d{1,3}(\+\d{1,3})*)*;?", re.ASCII)
_ID = re.compile(r"[A-Z]?\d{1,9}", re.ASCII)


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """The folder that holds metadata.csv and records/."""
    if not (root / TABLE).is_file():
        raise CgdmerError(f"{TABLE} is not in {root}; --root is the folder of SPH that holds it")
    table = read_table(root / TABLE, ["ECG_ID", "AHA_Code", "Patient_ID", "Age", "Sex"], REMEDY)
    return Source(
        name="sph",
        licence="see doi:10.6084/m9.figshare.c.5779802",
        citation=(
            "Liu, Chen, Chen, Zhang, Li, Bian, Shu, Wang: A large-scale multi-label 12-lead electrocardiogram "
            "database with standardized diagnostic statements. Scientific Data 9:272 (2022); Figshare, "
            "doi:10.6084/m9.figshare.c.5779802"
        ),
        records=[_record(table, place, line) for place, line in enumerate(table.lines)],
        tasks={TASK: tuple(LabelClass(code, name) for code, name in STATEMENTS.items())},
        read=partial(read_member, root, follow_links),
        tables={TABLE: table.sha256},
        rate=500.0,
        folder=root / "records",
    )


def _record(table: TableFile, place: int, line: dict[str, str]) -> SourceRecord:
    """One line of metadata.csv."""
    ecg, patient, codes = (line[column].strip() for column in ("ECG_ID", "Patient_ID", "AHA_Code"))
    for column, number in (("ECG_ID", ecg), ("Patient_ID", patient)):
        if not _ID.fullmatch(number):
            raise CgdmerError(f"{table.at(place, column)} no id such as A00001; {REMEDY}")
    if not _CODES.fullmatch(codes):
        raise CgdmerError(f'{table.at(place, "AHA_Code")} no codes such as "22;60+310"; {REMEDY}')
    primary = {code.partition("+")[0] for code in codes.split(";") if code}
    if not primary <= set(STATEMENTS):
        raise CgdmerError(f"{table.at(place, 'AHA_Code')} a code that SPH does not have; {REMEDY}")
    return SourceRecord(
        record_id=ecg,
        patient_id=patient,
        fold=fold_of_patient(patient),
        report="",
        age=age_of(line["Age"]),
        sex=sex_of(line["Sex"]),
        device=None,
        labels={TASK: tuple(code for code in STATEMENTS if code in primary)},
        location=(f"records/{ecg}.h5", None),
    )
