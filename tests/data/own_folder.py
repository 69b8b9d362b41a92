"""A small folder of one's own: recordings of several formats and a table of what belongs to them."""

import csv
from pathlib import Path

import numpy as np

from tests.bad_recordings import clean
from tests.data.ptbxl_root import write_record

HEADER = ["file", "person", "text", "age", "sex", "diagnosis", "AF", "SB", "part"]
COLUMNS = "record=file,patient=person,report=text,age=age,sex=sex,labels:rhythm=diagnosis"
HINTS = ["--recording_rate=100", "--leads=I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6", "--unit=mV"]


def lines_of(n: int) -> list[list[str]]:
    """Two recordings a person; every third has two diagnoses, every third none."""
    said = ["AF; SB", "AF", ""]
    return [
        [f"ecg/r{i}", f"p{i // 2}", f"Sinus rhythm, No. {i}", f"{50 + i}", "mf"[i % 2], said[i % 3], *"10", "train"]
        for i in range(n)
    ]


def write_table(file: Path, lines: list[list[str]], separator: str = ",", encoding: str = "utf-8") -> Path:
    with file.open("w", newline="", encoding=encoding) as opened:
        csv.writer(opened, delimiter=separator).writerows([HEADER, *lines])
    return file


def write_own(folder: Path, n: int = 6, lines: list[list[str]] | None = None) -> tuple[Path, Path]:
    """The folder of recordings, WFDB and NumPy by turns, and the table; both as the command gets them."""
    (folder / "ecg").mkdir(parents=True)
    for i in range(n):
        if i % 2:
            np.save(folder / f"ecg/r{i}.npy", clean(i).T / 1000)
        else:
            write_record(folder / f"ecg/r{i}", clean(i), 100)
    return folder, write_table(folder / "own.csv", lines_of(n) if lines is None else lines)
