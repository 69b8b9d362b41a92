"""A small folder in PTB-XL's published layout, written without wfdb: the tests' own recordings."""

import csv
from pathlib import Path

import numpy as np

LEADS = "I II III AVR AVL AVF V1 V2 V3 V4 V5 V6".split()  # as PTB-XL's headers spell them
COLUMNS = "ecg_id patient_id age sex device report scp_codes strat_fold filename_lr filename_hr".split()
STATEMENT_COLUMNS = [
    "",
    "description",
    "diagnostic",
    "form",
    "rhythm",
    "diagnostic_class",
    "diagnostic_subclass",
]
STATEMENTS = [
    ("NORM", "normal ECG", "1.0", "", "", "NORM", "NORM"),
    ("IMI", "inferior myocardial infarction", "1.0", "", "", "MI", "IMI"),
    ("NDT", "non-diagnostic T abnormalities", "1.0", "1.0", "", "STTC", "STTC"),
    ("LVOLT", "low QRS voltages", "", "1.0", "", "", ""),
    ("SR", "sinus rhythm", "", "", "1.0", "", ""),
]


def line(number: int, **changes: str) -> dict[str, str]:
    """One line of ptbxl_database.csv; odd and even records of a pair share a patient."""
    patient = number // 2
    return {
        "ecg_id": str(number),
        "patient_id": f"{patient}.0",
        "age": "56.0",
        "sex": "1",
        "device": "CS-12   E",
        "report": f"sinusrhythmus nummer {number % 7}",
        "scp_codes": "{'NORM': 100.0, 'SR': 0.0}",
        "strat_fold": str(patient % 10 + 1),
        "filename_lr": f"records100/00000/{number:05d}_lr",
        "filename_hr": f"records500/00000/{number:05d}_hr",
    } | changes


def samples(number: int, rate: int, seconds: float) -> np.ndarray:
    """Digital values [sample, lead], 1,000 a millivolt, different for every record and lead."""
    time_s = np.arange(round(rate * seconds)) / rate
    draw = np.random.default_rng(number)
    phase, frequency_hz = draw.uniform(0, 6, (2, 12))
    wave = 800 * np.sin(2 * np.pi * (frequency_hz + 1) * time_s[:, None] + phase)
    return (wave + draw.normal(0, 20, wave.shape)).round().astype("<i2")


def write_record(path: Path, digital: np.ndarray, rate: int) -> None:
    """A WFDB header and a format 16 signal file (WFDB Applications Guide, header(5))."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{path.name} 12 {rate} {len(digital)}"]
    for lead, values in zip(LEADS, digital.T, strict=True):
        checksum = np.int64(values.sum(dtype=np.int64)).astype(np.int16)
        lines.append(f"{path.name}.dat 16 1000.0(0)/mV 16 0 {values[0]} {checksum} 0 {lead}")
    path.with_name(path.name + ".hea").write_text("\n".join(lines) + "\n")
    path.with_name(path.name + ".dat").write_bytes(digital.tobytes())


def write_root(
    root: Path, lines: list[dict[str, str]], *, rates: tuple[int, ...] = (100,), seconds: float = 2.0
) -> Path:
    """The two tables and the recordings of the given lines."""
    root.mkdir(parents=True)
    with (root / "ptbxl_database.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    with (root / "scp_statements.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(STATEMENT_COLUMNS)
        writer.writerows(STATEMENTS)
    column = {100: "filename_lr", 500: "filename_hr"}
    for rate in rates:
        for fields in lines:
            write_record(root / fields[column[rate]], samples(int(fields["ecg_id"]), rate, seconds), rate)
    return root
