"""PTB-XL (Wagner et al. 2020, versions 1.0.1 to 1.0.3) as published on PhysioNet.

Labels are those of the PTB-XL benchmark (Strodthoff et al. 2021, aggregation of `scp_codes` over
`scp_statements.csv`): a code counts whatever its likelihood, 0 included; a class is the code itself (form,
rhythm) or its diagnostic class or subclass (super, sub). Codes are kept as published (`_AVB`, `NST_`), where
MERL's tables strip underscores; classes are ordered alphabetically, MERL's columns in no order.
"""

import os
import re
from decimal import Decimal
from functools import partial
from pathlib import Path

from cgdmer_jax.data.readers.record_files import listed_path
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb import RecordError, read_wfdb
from cgdmer_jax.data.sources.source import OLDEST, LabelClass, Source, SourceRecord
from cgdmer_jax.data.splits import N_FOLDS
from cgdmer_jax.data.tables.cells import number
from cgdmer_jax.data.tables.table import TableFile, read_table
from cgdmer_jax.errors import CgdmerError

LICENCE = "CC BY 4.0"
CITATION = (
    "Wagner, Strodthoff, Bousseljot, Kreiseler, Lunze, Samek, Schaeffter: PTB-XL, a large publicly available "
    "electrocardiography dataset. Scientific Data 7:154 (2020); PhysioNet, doi:10.13026/kfzx-aw45"
)
DATABASE = "ptbxl_database.csv"
STATEMENTS = "scp_statements.csv"
NEEDED = {
    DATABASE: "ecg_id patient_id age sex device report scp_codes strat_fold filename_lr filename_hr".split(),
    STATEMENTS: [
        "",
        "description",
        "diagnostic",
        "form",
        "rhythm",
        "diagnostic_class",
        "diagnostic_subclass",
    ],
}
FOLDERS = {100: ("records100", "filename_lr"), 500: ("records500", "filename_hr")}  # Hz -> folder, column
RESTORE = "restore the published table"
# "{'NORM': 100.0, 'SR': 0.0}"
_CODES = re.compile(r"\{(?:'[^'\\]*': *\d+(?:\.\d+)?(?:, *(?=')|(?=\})))*\}", re.ASCII)
MOST_NAMED = 3
MOST_WITHDRAWN = 38  # recordings of 1.0.1 that the table of 1.0.2 lacks
AGE_UNKNOWN = 300.0  # how 1.0.3 writes "above 89 or missing"
SEX = {0: "male", 1: "female"}
SUPER_NAMES = {
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
    "MI": "myocardial infarction",
    "NORM": "normal ECG",
    "STTC": "ST/T change",
}
SUB_NAMES = {
    "AMI": "anterior myocardial infarction",
    "CLBBB": "complete left bundle branch block",
    "CRBBB": "complete right bundle branch block",
    "ILBBB": "incomplete left bundle branch block",
    "IMI": "inferior myocardial infarction",
    "IRBBB": "incomplete right bundle branch block",
    "ISCA": "ischemia in anterior leads",
    "ISCI": "ischemia in inferior leads",
    "ISC_": "non-specific ischemia",
    "IVCD": "non-specific intraventricular conduction disturbance",
    "LAFB/LPFB": "left anterior or left posterior fascicular block",
    "LAO/LAE": "left atrial overload or enlargement",
    "LMI": "lateral myocardial infarction",
    "LVH": "left ventricular hypertrophy",
    "NORM": "normal ECG",
    "NST_": "non-specific ST changes",
    "PMI": "posterior myocardial infarction",
    "RAO/RAE": "right atrial overload or enlargement",
    "RVH": "right ventricular hypertrophy",
    "SEHYP": "septal hypertrophy",
    "STTC": "other ST-T change",
    "WPW": "Wolff-Parkinson-White syndrome",
    "_AVB": "AV block",
}


def open_source(root: Path, rate: int, *, follow_links: bool = False) -> Source:
    """PTB-XL in its published layout; reads the folder of the wanted rate (Hz) if there, else the other.

    With `follow_links` recordings may be links that leave the root, such as to a shared disk.
    """
    database, statements = _table(root, DATABASE), _table(root, STATEMENTS)
    folder_rate, remarks = _choose_folder(root, rate)
    class_of = _classes_of_codes(statements.lines)
    folder, column = FOLDERS[folder_rate]
    records = [_record(line, class_of, column) for line in database.lines]
    remarks += [*database.remarks, *_unlisted(root, folder, records)]
    return Source(
        name="ptbxl",
        licence=LICENCE,
        citation=CITATION,
        records=records,
        tasks=_tasks(statements.lines),
        read=partial(read_recording, root, float(folder_rate), follow_links),
        tables={DATABASE: database.sha256, STATEMENTS: statements.sha256},
        rate=float(folder_rate),
        remarks=remarks,
        folder=root / folder,
    )


def read_reports(root: Path) -> list[tuple[int, str]]:
    """Fold and report, as published, of every listed record; the table alone is enough, no recording is needed."""
    return [(_fold(line), line["report"]) for line in _table(root, DATABASE).lines]


def read_recording(root: Path, rate: float, follow_links: bool, record: SourceRecord) -> Recording:
    """The record's WFDB files below the root folder; `rate` (Hz) is that of the folder they lie in."""
    path = listed_path(root, record.location, record.record_id)
    recording = read_wfdb(path, None if follow_links else root)
    if recording.rate != rate:
        sentence = f"its rate is {recording.rate:g} Hz in a folder of {rate:g} Hz; fetch the record again"
        raise RecordError(str(path), "rate", "rate", sentence)
    return recording


def _table(root: Path, name: str) -> TableFile:
    if not os.path.isfile(root / name):
        raise CgdmerError(f"{name} is not in {root}; --root is the folder of PTB-XL that holds {DATABASE}")
    return read_table(root / name, NEEDED[name], RESTORE)


def _choose_folder(root: Path, rate: int) -> tuple[int, list[str]]:
    """Rate of the folder to read, and a remark when it is not the wanted one."""
    present = [folder_rate for folder_rate, (folder, _) in FOLDERS.items() if (root / folder).is_dir()]
    if not present:
        raise CgdmerError(f"neither records100 nor records500 is in {root}; unpack the recordings there")
    if rate in present:
        return rate, []
    nearest = max(present)
    remark = f"the recordings of {FOLDERS[nearest][0]} ({nearest} Hz) were resampled to {rate} Hz"
    if rate > nearest:
        remark += f": they hold nothing above {nearest // 2} Hz"
    return nearest, [remark]


def _classes_of_codes(statements: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """task -> SCP code -> class code."""
    tables: dict[str, dict[str, str]] = {"super": {}, "sub": {}, "form": {}, "rhythm": {}}
    for line in statements:
        code = line[""]
        if line["diagnostic"]:
            tables["super"][code] = line["diagnostic_class"]
            tables["sub"][code] = line["diagnostic_subclass"]
        if line["form"]:
            tables["form"][code] = code
        if line["rhythm"]:
            tables["rhythm"][code] = code
    return tables


def _tasks(statements: list[dict[str, str]]) -> dict[str, tuple[LabelClass, ...]]:
    """The four tasks, classes in alphabetical order of their codes."""
    description = {line[""]: line["description"] for line in statements}
    names = {"super": SUPER_NAMES, "sub": SUB_NAMES, "form": description, "rhythm": description}
    tasks = {}
    for task, class_of in _classes_of_codes(statements).items():
        codes = sorted(set(class_of.values()))
        if unknown := [code for code in codes if code not in names[task]]:
            raise CgdmerError(
                f"{STATEMENTS} has the {task} class {unknown[0]}, which PTB-XL 1.0.1 to 1.0.3 do not have; "
                "restore the published table"
            )
        tasks[task] = tuple(LabelClass(code, names[task][code]) for code in codes)
    return tasks


def _record(line: dict[str, str], class_of: dict[str, dict[str, str]], file_column: str) -> SourceRecord:
    """One line of ptbxl_database.csv."""
    if not line["ecg_id"].strip():
        raise CgdmerError(f"{DATABASE} has a record without ecg_id; {RESTORE}")
    codes = _scp_codes(line)
    labels = {}
    for task, table in class_of.items():
        labels[task] = tuple(sorted({table[code] for code in codes if code in table}))
    for code in codes:
        if not any(code in table for table in class_of.values()):
            raise CgdmerError(
                f'{DATABASE}: record {line["ecg_id"]} has the code "{code}", which {STATEMENTS} lacks; '
                "restore the published tables"
            )
    return SourceRecord(
        record_id=line["ecg_id"],
        patient_id=str(_whole_number(line, "patient_id")),  # written as 15709.0
        fold=_fold(line),
        report=line["report"],
        age=_age(line),
        sex=_sex(line),
        device=line["device"].strip() or None,
        labels=labels,
        location=line[file_column],
    )


def _scp_codes(line: dict[str, str]) -> tuple[str, ...]:
    """SCP codes of a record; their likelihoods (0 = not stated) are not used, as in the benchmark."""
    if not _CODES.fullmatch(line["scp_codes"].strip()):
        raise _unreadable(line, "scp_codes")
    return tuple(re.findall(r"'([^']*)'", line["scp_codes"]))


def _age(line: dict[str, str]) -> float | None:
    if not line["age"].strip():
        return None
    age = float(_number(line, "age"))
    if age == AGE_UNKNOWN:
        return None
    if not 0 <= age <= OLDEST:
        raise _unreadable(line, "age")
    return age


def _sex(line: dict[str, str]) -> str | None:
    if not line["sex"].strip():
        return None
    sex = _whole_number(line, "sex")  # pandas writes 1.0 in a column that has a gap
    if sex not in SEX:
        raise _unreadable(line, "sex")
    return SEX[sex]


def _fold(line: dict[str, str]) -> int:
    fold = _whole_number(line, "strat_fold")
    if not 1 <= fold <= N_FOLDS:
        raise _unreadable(line, "strat_fold")
    return fold


def _whole_number(line: dict[str, str], column: str) -> int:
    value = _number(line, column)
    if value != value.to_integral_value():
        raise _unreadable(line, column)
    return int(value)


def _number(line: dict[str, str], column: str) -> Decimal:
    value = number(line[column])
    if value is None:
        raise _unreadable(line, column)
    return value


def _unreadable(line: dict[str, str], column: str) -> CgdmerError:
    # Without the value: a broken line may have the report of a patient there.
    return CgdmerError(f"{DATABASE}: record {line['ecg_id']} has no readable {column}; restore the published table")


def _unlisted(root: Path, folder: str, records: list[SourceRecord]) -> list[str]:
    """Remark on recordings in the folder that the table does not list (1.0.2 withdrew 38 duplicates)."""
    listed = {record.location for record in records}
    found = (path.relative_to(root).with_suffix("").as_posix() for path in (root / folder).glob("*/*.hea"))
    unlisted = sorted(name.rsplit("/", 1)[1] for name in found if name not in listed)
    if not unlisted:
        return []
    names = ", ".join(unlisted[:MOST_NAMED])
    if len(unlisted) > MOST_NAMED:
        names += f" and {len(unlisted) - MOST_NAMED:,} more"
    remark = f"{len(unlisted):,} recordings in {folder} are not in {DATABASE} and were left out ({names})"
    if len(unlisted) > MOST_WITHDRAWN:
        remark += "; the published tables list nearly all: is this one whole?"
    return [remark]
