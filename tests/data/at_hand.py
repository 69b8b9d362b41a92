"""Everything in ../shared/data as folders to convert: real layouts unpacked, the others made from the real samples.

`python -m tests.data.at_hand FOLDER` prints the commands that convert them; docs/datasets.md tells what each yields.
"""

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import scipy.io

from cgdmer_jax.data.readers.wfdb import read_wfdb
from tests.conftest import SHARED
from tests.data.layouts import (
    unpacked,
    write_code15,
    write_code_test,
    write_cpsc2018,
    write_mimic,
    write_sph,
)

CODE = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
# Name of the store, source, folder, and what else the command says.
CONVERSIONS = (
    ("ptbxl", "ptbxl", "ptbxl", ""),
    ("ptbxl500", "ptbxl", "ptbxl500", " --partial"),
    ("mimic-iv-ecg", "mimic-iv-ecg", "mimic", ""),
    ("mimic-iv-ecg-merl", "mimic-iv-ecg-merl", "mimic", ""),
    ("cinc", "cinc", "cinc", ""),
    ("csn", "csn", "csn", ""),
    ("cpsc2018", "cpsc2018", "cpsc2018", ""),
    ("cpsc2018-wfdb", "cpsc2018", "cinc/WFDB_CPSC2018", ""),
    ("ludb", "ludb", "ludb", ""),
    ("ptb", "ptb", "ptb", ""),
    ("code15", "code15", "code15", ""),
    ("code-test", "code-test", "code-test", ""),
    ("sph", "sph", "sph", ""),
)
# MERL's columns -> the numbers of REFERENCE.csv.
CPSC2018 = {"NORM": 1, "AFIB": 2, "1AVB": 3, "CLBBB": 4, "CRBBB": 5, "PAC": 6, "VPC": 7, "STD": 8, "STE": 9}


def prepare(folder: Path, data: Path) -> None:
    """Real layouts as they are; MIMIC-IV-ECG and SPH of PTB-XL's 500 Hz records, CODE of the ten exams at hand."""
    for name, archive in (
        ("ptbxl", "ptb-xl-sample"),
        ("ptbxl500", "ptb-xl-500hz-sample"),
        ("cinc", "cinc2021-sample"),
        ("ludb", "ludb-1.0.1"),
    ):
        shutil.move(unpacked(data / f"{archive}.tar.xz", folder / "unpacking"), folder / name)
    hold = folder / "unpacking"
    shutil.copytree(unpacked(data / "ptbdb-s0010_re.tar.xz", hold / "ptb"), folder / "ptb" / "patient001")
    csn(folder)
    of_tables = unpacked(data / "ptb-xl-metadata.tar.xz", hold / "tables")
    for name in ("ptbxl_database.csv", "scp_statements.csv"):
        shutil.copy(of_tables / name, folder / "ptbxl500" / name)
    of_ptbxl(folder)
    merl = unpacked(data / "merl_data_split.tar.xz", hold / "merl")
    files = sorted(unpacked(data / "cpsc2018-sample.tar.xz", hold / "cpsc").glob("*.mat"))
    write_cpsc2018(folder / "cpsc2018", files, {file.stem: labels_of(merl, file.stem) for file in files})
    code(folder, unpacked(data / "code15-sample.tar.xz", hold / "code"))
    shutil.rmtree(hold)


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def csn(folder: Path) -> None:
    for file in [*folder.glob("cinc/WFDB_ChapmanShaoxing/*"), *folder.glob("cinc/WFDB_Ningbo/*")]:
        number = int(file.stem.removeprefix("JS"))
        to = folder / "csn" / "WFDBRecords" / f"{number // 1000:02}" / f"{number // 100:03}"
        to.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to)


def of_ptbxl(folder: Path) -> None:
    lines = [line for line in table(folder / "ptbxl500" / "ptbxl_database.csv") if is_there(folder, line)]
    signals = [read_wfdb(folder / "ptbxl500" / line["filename_hr"]).signal_mv for line in lines]
    studies = {40000000 + int(line["ecg_id"]): 10000000 + int(float(line["patient_id"])) for line in lines}
    said = {study: [line["report"]] for study, line in zip(studies, lines, strict=True)}
    write_mimic(folder / "mimic", studies, said, dict(zip(studies, signals, strict=True)))
    sph = [
        {
            "ECG_ID": f"A{int(line['ecg_id']):05}",
            "AHA_Code": "1" if "'NORM'" in line["scp_codes"] else "145",
            "Patient_ID": f"S{int(float(line['patient_id'])):05}",
            "Age": line["age"],
            "Sex": "MF"[int(line["sex"])],
            "N": signal_mv.shape[1],
            "Date": "2020-03-04",
        }
        for line, signal_mv in zip(lines, signals, strict=True)
    ]
    write_sph(folder / "sph", sph, signals)


def is_there(folder: Path, line: dict[str, str]) -> bool:
    return (folder / "ptbxl500" / f"{line['filename_hr']}.hea").is_file()


def labels_of(merl: Path, name: str) -> tuple[int, ...]:
    lines = [line for part in ("train", "val", "test") for line in table(merl / "icbeb" / f"icbeb_{part}.csv")]
    (line,) = (line for line in lines if line["filename"] == name)
    return tuple(sorted(number for column, number in CPSC2018.items() if line[column] == "1"))


def code(folder: Path, given: Path) -> None:
    lines = table(given / "meta.csv")
    signals: list[np.ndarray] = [
        scipy.io.loadmat(given / "org" / f"code_15_{line['exam_id']}.mat")["feats"] for line in lines
    ]
    columns = ("exam_id", "age", "is_male", "nn_predicted_age", *CODE, "patient_id", "death", "timey", "normal_ecg")
    exams = [{name: line[name] for name in columns} | {"trace_file": "exams_part0.hdf5"} for line in lines]
    write_code15(folder / "code15", exams, {int(line["exam_id"]): x for line, x in zip(lines, signals, strict=True)})
    tests = [
        {"age": line["age"], "sex": "M" if line["is_male"] == "True" else "F"}
        | {name: int(line[name] == "True") for name in CODE}
        for line in lines
    ]
    write_code_test(folder / "code-test", tests, signals)


def commands(folder: Path) -> list[str]:
    """One for each store, with its figures beside it."""
    return [
        f"python -m experiments.convert --source={source} --root={folder / root} --rate=100 --processes=1{more} "
        f"--out={folder / 'stores' / name} --figures={folder / 'figures' / f'datasets-{name}.json'}"
        for name, source, root, more in CONVERSIONS
    ]


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), SHARED / "data")
    print("\n".join(commands(Path(sys.argv[1]))))
