"""WFDB records that tests write by hand: two leads, 100 samples."""

from pathlib import Path

import numpy as np


def write(folder: Path, header: str = "", digital: np.ndarray | None = None, name: str = "r1") -> Path:
    """A record of two leads and 100 samples unless told otherwise; `header` replaces the right one."""
    digital = np.arange(200).reshape(2, 100) - 60 if digital is None else digital
    (folder / f"{name}.dat").write_bytes(digital.T.astype("<i2").tobytes())
    (folder / f"{name}.hea").write_text(header or right_header(digital, name), encoding="utf-8")
    return folder / name


def right_header(digital: np.ndarray, name: str = "r1") -> str:
    lines = [f"{name} {len(digital)} 100 {digital.shape[1]}"]
    for lead, samples in zip(("I", "V1"), digital, strict=True):
        lines.append(f"{name}.dat 16 200(5)/mV 16 0 {samples[0]} {samples.sum() % 65536} 0 {lead}")
    return "\n".join(lines) + "\n"


HEADER = right_header(np.arange(200).reshape(2, 100) - 60)
