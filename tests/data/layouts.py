"""Folders in the layouts of publishers, made from given samples: what the tests convert where no real copy is at hand.

Each follows the publisher's documentation, named beside it; docs/datasets.md says which sources were read in such a
layout alone.
"""

import csv
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

STANDARD = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()
MIMIC_LEADS = "I II III aVR aVF aVL V1 V2 V3 V4 V5 V6".split()  # aVF before aVL, as its headers have them


def unpacked(archive: Path, folder: Path) -> Path:
    """The one folder that an archive of ../shared/data holds."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (unpacked_as,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked_as


def wave(number: int, rate: int, seconds: float = 2.0) -> np.ndarray:
    """Millivolts [lead, time] in the standard order, different for every record and lead."""
    time_s = np.arange(round(rate * seconds)) / rate
    draw = np.random.default_rng(number)
    phase, frequency_hz = draw.uniform(0, 6, (2, 12))
    sines = 0.8 * np.sin(2 * np.pi * (frequency_hz[:, None] + 1) * time_s + phase[:, None])
    return (sines + draw.normal(0, 0.02, sines.shape)).astype(np.float32)  # a plain sine looks clipped at its peaks


def write_wfdb(
    path: Path,
    signal_mv: np.ndarray,
    rate: int,
    *,
    leads: Sequence[str] = STANDARD,
    gain: int = 1000,
    comments: Iterable[str] = (),
) -> None:
    """A header and a format 16 file (WFDB Applications Guide, header(5)); `leads` may be in any order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = [STANDARD.index(lead) for lead in leads]
    digital = np.round(signal_mv[order].astype(np.float64) * gain).astype("<i2")
    lines = [f"{path.name} {len(leads)} {rate} {digital.shape[1]}"]
    for lead, values in zip(leads, digital, strict=True):
        checksum = np.int64(values.sum(dtype=np.int64)).astype(np.int16)
        lines.append(f"{path.name}.dat 16 {gain}.0(0)/mV 16 0 {values[0]} {checksum} 0 {lead}")
    path.with_name(f"{path.name}.hea").write_text("\n".join([*lines, *comments]) + "\n")
    path.with_name(f"{path.name}.dat").write_bytes(np.ascontiguousarray(digital.T).tobytes())


def write_csv(file: Path, rows: list[dict[str, object]]) -> None:
    """A table whose columns are those of its first line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def mimic_path(subject: int, study: int) -> str:
    """Path of a study in the publisher's folders, without ending."""
    return f"files/p{str(subject)[:4]}/p{subject}/s{study}/{study}"


def write_mimic(
    root: Path, studies: dict[int, int], statements: dict[int, list[str]], signals: dict[int, np.ndarray]
) -> Path:
    """MIMIC-IV-ECG 1.0 (physionet.org/content/mimic-iv-ecg/1.0): by study subject, statements and signal at 500 Hz.

    The two tables have their lines in opposite order; a study without statements has no line in the second.
    """
    listed = [
        {
            "subject_id": subject,
            "study_id": study,
            "file_name": study,
            "ecg_time": "2180-07-23 08:44:00",
            "path": mimic_path(subject, study),
        }
        for study, subject in studies.items()
    ]
    measured = [
        {"subject_id": studies[study], "study_id": study, "cart_id": 6848296, "ecg_time": "2180-07-23 08:44:00"}
        | {f"report_{place}": said[place] if place < len(said) else "" for place in range(18)}
        | {"bandwidth": "0.005-150 Hz", "filtering": "60 Hz notch Baseline filter", "rr_interval": 659}
        | dict.fromkeys("p_onset p_end qrs_onset qrs_end t_end p_axis qrs_axis t_axis".split(), 29999)
        for study, said in reversed(statements.items())
    ]
    write_csv(root / "record_list.csv", listed)
    write_csv(root / "machine_measurements.csv", measured)
    for study, signal_mv in signals.items():
        comments = [f"# <subject_id>: {studies[study]}"]
        path = root / mimic_path(studies[study], study)
        write_wfdb(path, signal_mv, 500, leads=MIMIC_LEADS, gain=200, comments=comments)
    return root


def write_cpsc2018(root: Path, files: Iterable[Path], labels: dict[str, tuple[int, ...]]) -> Path:
    """CPSC2018 (2018.icbeb.org/Challenge.html): TrainingSet folders of .mat files, and REFERENCE.csv."""
    for number, file in enumerate(sorted(files)):
        folder = root / f"TrainingSet{number % 3 + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.read_bytes())
    columns = ("First_label", "Second_label", "Third_label")
    rows = [
        {"Recording": name, **{column: found[k] if k < len(found) else "" for k, column in enumerate(columns)}}
        for name, found in labels.items()
    ]
    write_csv(root / "REFERENCE.csv", rows)
    return root


CODE_SAMPLES = 4096


def filled_up(signal_mv: np.ndarray) -> np.ndarray:
    """[sample, lead] of 4,096 samples, zeros at both ends, as CODE's documentation has it."""
    n = signal_mv.shape[1]
    before = (CODE_SAMPLES - n) // 2
    tracing = np.zeros((CODE_SAMPLES, 12), np.float32)
    tracing[before : before + n] = signal_mv.T
    return tracing


def write_code15(root: Path, exams: list[dict[str, object]], signals: dict[int, np.ndarray]) -> Path:
    """CODE-15 % (zenodo.org/records/4916206): exams.csv, and HDF5 files of tracings and exam_id, the last line a 0.

    `exams`: lines of the table; `signals`: exam -> millivolts [lead, time] at 400 Hz.
    """
    import h5py

    write_csv(root / "exams.csv", exams)
    for name in dict.fromkeys(str(exam["trace_file"]) for exam in exams):
        ids = [int(exam["exam_id"]) for exam in reversed(exams) if exam["trace_file"] == name]
        with h5py.File(root / name, "w") as file:
            empty = np.zeros((1, CODE_SAMPLES, 12), np.float32)
            tracings = np.concatenate([np.stack([filled_up(signals[number]) for number in ids]), empty])
            file.create_dataset("tracings", data=tracings, chunks=(1, CODE_SAMPLES, 12), compression="gzip")
            file["exam_id"] = np.array([*ids, 0])
    return root


def write_code_test(root: Path, lines: list[dict[str, object]], signals: list[np.ndarray]) -> Path:
    """CODE-test (zenodo.org/records/3765780): ecg_tracings.hdf5, attributes.csv, annotations/; the order joins them."""
    import h5py

    write_csv(root / "attributes.csv", [{name: line[name] for name in ("age", "sex")} for line in lines])
    classes = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
    write_csv(root / "annotations" / "gold_standard.csv", [{name: line[name] for name in classes} for line in lines])
    with h5py.File(root / "ecg_tracings.hdf5", "w") as file:
        file["tracings"] = np.stack([filled_up(signal_mv) for signal_mv in signals])
    return root


def write_sph(root: Path, lines: list[dict[str, object]], signals: list[np.ndarray]) -> Path:
    """SPH (Scientific Data 9:272): metadata.csv, and records/*.h5 with millivolts [lead, time] in half precision."""
    import h5py

    write_csv(root / "metadata.csv", lines)
    (root / "records").mkdir()
    for line, signal_mv in zip(lines, signals, strict=True):
        with h5py.File(root / "records" / f"{line['ECG_ID']}.h5", "w") as file:
            file["ecg"] = signal_mv.astype(np.float16)
    return root
