"""One tracing in every format that is read, each written by another program than the reader."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyedflib
import wfdb
from scipy.io import savemat

from cgdmer_jax.data.readers.reader import Hints, Location
from cgdmer_jax.waveform.lead_names import LEADS

RATE = 400
NAME, BORN, COMMENT = "Erika_Mustermann", "12-AUG-1964", "complains_of_chest_pain"  # what must not get through
Written = tuple[Location, Hints]
UNSAID = Hints(float(RATE), LEADS, "uV")
NOTHING_UNSAID = Hints()


def tracing_uv(seconds: int = 3, seed: int = 0) -> np.ndarray:
    """Whole microvolts [lead, time], no lead like another, neither end zero."""
    draw = np.random.default_rng(seed)
    return draw.integers(-3000, 3000, (12, RATE * seconds)).astype(np.int16) | 1


def write_wfdb(folder: Path, signal_uv: np.ndarray) -> Written:
    wfdb.wrsamp(
        "r", RATE, ["mV"] * 12, [*LEADS], d_signal=signal_uv.T.astype(np.int64), fmt=["16"] * 12,
        adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder), comments=[f"Name: {NAME}", COMMENT],
    )  # fmt: skip
    return Location(folder / "r"), NOTHING_UNSAID


def write_edf(folder: Path, signal_uv: np.ndarray, kind: int = pyedflib.FILETYPE_EDF, unit: str = "uV") -> Written:
    file = folder / "r.edf"
    largest = 32767 if unit == "uV" else 32.767
    with pyedflib.EdfWriter(str(file), len(signal_uv), file_type=kind) as writer:
        writer.setPatientName(NAME)
        writer.setBirthdate("12.08.1964")
        writer.setPatientAdditional(COMMENT)
        header = {"dimension": unit, "sample_frequency": RATE, "digital_min": -32767, "digital_max": 32767}
        header |= {"physical_min": -largest, "physical_max": largest, "transducer": "", "prefilter": ""}
        writer.setSignalHeaders([header | {"label": f"ECG {lead}"} for lead in LEADS])
        if kind == pyedflib.FILETYPE_EDFPLUS:
            writer.writeAnnotation(1, -1, NAME)
        writer.writeSamples([np.ascontiguousarray(row, np.int32) for row in signal_uv], digital=True)
    return Location(file), NOTHING_UNSAID


def write_edf_plus(folder: Path, signal_uv: np.ndarray) -> Written:
    return write_edf(folder, signal_uv, pyedflib.FILETYPE_EDFPLUS, "mV")


def write_code(folder: Path, signal_uv: np.ndarray) -> Written:
    """As CODE-15 %: exams by id, zeros at both ends, and a last exam of id 0 that is none."""
    before = (4096 - signal_uv.shape[1]) // 2
    tracings = np.zeros((3, 4096, 12), np.float32)
    tracings[0, 100:200] = 1
    tracings[1, before : before + signal_uv.shape[1]] = signal_uv.T / 1000
    with h5py.File(folder / "exams_part0.hdf5", "w") as file:
        file["tracings"], file["exam_id"] = tracings, np.array([9, 1169160, 0])
    return Location(folder / "exams_part0.hdf5", "1169160"), NOTHING_UNSAID


def write_sph(folder: Path, signal_uv: np.ndarray) -> Written:
    """SPH is at 500 Hz, as CPSC2018, which its file does not say: the test reads the rate apart."""
    with h5py.File(folder / "A00001.h5", "w") as file:
        file.create_dataset("ecg", data=signal_uv / 1000, compression="gzip")
    return Location(folder / "A00001.h5"), NOTHING_UNSAID


def write_own_hdf5(folder: Path, signal_uv: np.ndarray) -> Written:
    with h5py.File(folder / "r.h5", "w") as file:
        file["anything"], file["name"], file.attrs["born"] = signal_uv.T, NAME, BORN
    return Location(folder / "r.h5"), UNSAID


def write_csv(folder: Path, signal_uv: np.ndarray) -> Written:
    times = np.arange(signal_uv.shape[1]) / RATE
    lines = [",".join(["", "time_s", *(f"{lead} (mV)" for lead in LEADS), "patient"])]
    for k, (time, row) in enumerate(zip(times, signal_uv.T, strict=True)):
        lines.append(f"{k},{time:.4f},{','.join(f'{value / 1000:.3f}' for value in row)},{NAME}")
    (folder / "r.csv").write_text("\n".join(lines) + "\n")
    return Location(folder / "r.csv"), NOTHING_UNSAID


def write_excel_csv(folder: Path, signal_uv: np.ndarray) -> Written:
    """As Excel saves it on a German machine: semicolons, comma decimals, UTF-16."""
    lines = [";".join(["Zeit [ms]", *LEADS])]
    for k, row in enumerate(signal_uv.T):
        cells = [k * 1000 / RATE, *row / 1000]
        lines.append(";".join(f"{cell:.3f}".replace(".", ",") for cell in cells))
    (folder / "r.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("utf-16"))
    return Location(folder / "r.csv"), Hints(unit="mV")


def write_columns(folder: Path, signal_uv: np.ndarray) -> Written:
    np.savetxt(folder / "r.csv", signal_uv.T / 1e6, comments=f"# {COMMENT}\n# ", header="a line\nof words")
    return Location(folder / "r.csv"), Hints(float(RATE), LEADS, "V")


def write_named_columns(folder: Path, signal_uv: np.ndarray) -> Written:
    np.savetxt(folder / "r.txt", signal_uv.T, fmt="%d", delimiter="\t", header="\t".join(LEADS))
    return Location(folder / "r.txt"), Hints(rate=float(RATE), unit="µV")


def write_npy(folder: Path, signal_uv: np.ndarray) -> Written:
    np.save(folder / "r.npy", signal_uv.T)
    return Location(folder / "r.npy"), UNSAID


def write_fortran_npy(folder: Path, signal_uv: np.ndarray) -> Written:
    np.save(folder / "r.npy", np.asfortranarray(signal_uv.astype(">f8")))
    return Location(folder / "r.npy"), UNSAID


def write_many_npy(folder: Path, signal_uv: np.ndarray) -> Written:
    np.save(folder / "r.npy", np.stack([0 * signal_uv, signal_uv, 0 * signal_uv]))
    return Location(folder / "r.npy", "1"), UNSAID


def write_npz(folder: Path, signal_uv: np.ndarray) -> Written:
    np.savez(folder / "r.npz", any=signal_uv / 1000, leads=LEADS, rate=RATE, unit="mV", name=NAME, born=BORN)
    return Location(folder / "r.npz"), NOTHING_UNSAID


def write_many_npz(folder: Path, signal_uv: np.ndarray) -> Written:
    signal = np.stack([0 * signal_uv.T, signal_uv.T]) / 1e6
    np.savez_compressed(folder / "r.npz", other=np.zeros((3, 3)), signal=signal, leads=LEADS, rate=float(RATE))
    return Location(folder / "r.npz", "1"), Hints(unit="V")


def write_cpsc2018(folder: Path, signal_uv: np.ndarray) -> Written:
    struct = {"sex": "Female", "age": 58, "data": signal_uv / 1000}
    savemat(folder / "A0001.mat", {"ECG": struct}, do_compression=True)
    return Location(folder / "A0001.mat"), NOTHING_UNSAID


def write_feats(folder: Path, signal_uv: np.ndarray) -> Written:
    fields = {"org_sample_rate": RATE, "curr_sample_rate": RATE, "feats": (signal_uv / 1000).astype("f4"), "idx": 5}
    savemat(folder / "code_15_1.mat", fields)
    return Location(folder / "code_15_1.mat"), NOTHING_UNSAID


def write_mat(folder: Path, signal_uv: np.ndarray) -> Written:
    savemat(folder / "r.mat", {"name": NAME, "cell": np.array([NAME, 1], object), "val": signal_uv, "gain": 1000})
    return Location(folder / "r.mat"), UNSAID


WRITERS: dict[str, Callable[[Path, np.ndarray], Written]] = {
    **{"WFDB": write_wfdb, "EDF": write_edf, "EDF+C": write_edf_plus},
    **{"CODE-15 %": write_code, "SPH": write_sph, "own HDF5": write_own_hdf5},
    **{"CSV": write_csv, "Excel's CSV": write_excel_csv, "columns": write_columns, "named": write_named_columns},
    **{"npy": write_npy, "Fortran's npy": write_fortran_npy, "npy of many": write_many_npy},
    **{"npz": write_npz, "npz of many": write_many_npz},
    **{"CPSC2018": write_cpsc2018, "ECG-FM": write_feats, "MATLAB": write_mat},
}
