"""Small split tables as MERL's release has them, with its faults: columns that move, acronyms found within others."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

PTBXL = "ecg_id patient_id strat_fold filename_lr filename_hr".split()
CPSC = "patient_id ecg_id filename validation age sex scp_codes".split()
CSN = "ecg_path age diagnose".split()
CLASSES = {
    "super_class": ["NORM", "MI"],
    "sub_class": ["NORM", "AVB", "RAO/RAE", "ISC"],
    "form": ["NDT", "LVOLT"],
    "rhythm": ["SR", "AFIB"],
}
MOVED = ["NORM", "ISC", "AVB", "RAO/RAE"]  # sub_class of val and test
ACRONYMS = ["VB", "AVB", "SA"]
DIAGNOSES = {
    "train": ["1AVB,SA", "AVB", "VB,SB", "SB,VPE"],
    "val": ["SAAWR", "AVB"],
    "test": ["2AVB", "SA,AVB"],
}
PARTS = {"train": range(1, 9), "val": (9,), "test": (10,)}
PROMPTS = {"NORM": "Normal ECG, sinus rhythm", "MI": "infarction"} | {
    name: f"{name}, other words of {name}" for name in "AVB RAO/RAE ISC NDT LVOLT SR AFIB VB SA".split()
}


def write_tables(folder: Path, records: Sequence[tuple[int, int, int]]) -> Path:
    """Eighteen files; `records` are PTB-XL's (ecg_id, patient, fold), each with the class that its id chooses."""
    for part, folds in PARTS.items():
        for name, classes in CLASSES.items():
            header = MOVED if name == "sub_class" and part != "train" else classes
            lines = []
            for number, patient, fold in records:
                if fold in folds:
                    held = classes[number // 20 % len(classes)]  # every fold holds every class
                    before = [number, f"{patient}.0", fold, f"records100/{number}", f"records500/{number}", [held]]
                    lines.append(before + [int(klass == held) for klass in header])
            _write(folder / f"ptbxl/{name}/ptbxl_{name}_{part}.csv", [*PTBXL, name, *header], lines)
        lines = [[i, i, f"A{i:04d}", False, 40, 1, {}, i % 2, 1 - i % 2] for i in _numbers(part)]
        _write(folder / f"icbeb/icbeb_{part}.csv", [*CPSC, "AFIB", "NORM"], lines)
        lines = [
            [f"/chapman/WFDBRecords/01/JS{i:05d}.mat", 12, text, *(int(name in text) for name in ACRONYMS)]
            for i, text in zip(_numbers(part), DIAGNOSES[part], strict=False)
        ]
        _write(folder / f"chapman/chapman_{part}.csv", [*CSN, *ACRONYMS], lines)
    (folder / "CKEPE_prompt.json").write_text(json.dumps(PROMPTS))
    return folder


def _numbers(part: str) -> range:
    """Six records of train, two of each other part."""
    return {"train": range(6), "val": range(6, 8), "test": range(8, 10)}[part]


def _write(file: Path, header: list[str], lines: list[list]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(lines)
