"""WFDB records of every kind of storage, each in a folder that is searched for it."""

from pathlib import Path

import numpy as np
import wfdb
from scipy.io import savemat

from cgdmer_jax.data.readers.found_records import find_recordings, name_of_recording
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.wfdb_records import write
from tests.fuzz.target import FolderTarget, Values

LARGEST = {"16": 2**14, "80": 100, "212": 1500, "24": 2**20, "32": 2**28, "508": 100, "516": 2**14, "524": 2**20}
HAND, CINC = "hand", "cinc"


def make(folder: Path) -> None:
    for name in (HAND, CINC, *LARGEST):
        (folder / name).mkdir()
    write(folder / HAND, name="r")
    names = [*LEADS[:3], "V6", "ABP"]
    for storage, largest in LARGEST.items():
        digital = np.random.default_rng(int(storage)).integers(-largest, largest, (120, len(names)))
        wfdb.wrsamp(
            "r", 100, ["mV"] * 4 + ["mmHg"], names, d_signal=digital, fmt=[storage] * 5, adc_gain=[200.0] * 5,
            baseline=[0] * 5, write_dir=str(folder / storage), comments=["Age: 56", "Dx: 426783006"],
        )  # fmt: skip
    digital = np.random.default_rng(0).integers(-2000, 2000, (12, 100)).astype(np.int16)
    savemat(folder / CINC / "r.mat", {"val": digital}, format="4")
    lines = [f"r 12 500 {digital.shape[1]} 12-May-2020 12:33:59"]
    for lead, values in zip(LEADS, digital, strict=True):
        lines.append(f"r.mat 16+24 1000/mV 16 0 {values[0]} {values.sum(dtype=np.int64) % 65536} 0 {lead}")
    (folder / CINC / "r.hea").write_text("\n".join([*lines, "#Age: 74", "#Sex: Male"]) + "\n")


def read(folder: Path) -> Values:
    found = find_recordings(folder)
    names = [name_of_recording(path, folder) for path in found.recordings]
    assert all(len(sentence) < 500 for sentence in found.sentences)
    record = read_wfdb(folder / "r", folder)
    assert 50 <= record.rate <= 10_000 and len(record.names) == len(record.signal_mv) == len(set(record.names))
    assert record.signal_mv.dtype == np.float32 and not np.isinf(record.signal_mv).any()
    fields = {what: getattr(record, what) for what in ("rate", "names", "extra_leads")}
    return fields | {"samples": record.signal_mv.tobytes(), "records found": names}


def make_target() -> FolderTarget:
    return FolderTarget(make, dict.fromkeys((HAND, CINC, *LARGEST), read))
