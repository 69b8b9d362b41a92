"""Reads every real recording of ../shared/data beside wfdb and scipy: `python -m tests.read_real_records [FOLDER]`.

FOLDER is where `../shared/data/unpack` unpacked; without it a temporary one is filled. Prints, by collection, how many
recordings are read, equal to the oracle and refused, with the reasons; ends with 1 if one differs by half a microvolt.
"""

import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import wfdb
from scipy.io import loadmat

from cgdmer_jax.data.readers.formats import read_recording
from cgdmer_jax.data.readers.found_records import find_recordings
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.waveform.conditioning import LEADS, canonical_lead

SHARED = Path(__file__).parents[2] / "shared" / "data"
IN_MV = {"V": 1000.0, "mV": 1.0, "mv": 1.0, "uV": 0.001}
HALF_A_MICROVOLT = 0.0005


def oracle_mv(path: Path) -> dict[str, np.ndarray]:
    """The twelve leads as wfdb or scipy reads them, by name, in millivolts."""
    if path.suffix == ".mat":  # CPSC2018's own, and CODE-15 % as ECG-FM has it
        content = loadmat(path)
        signal_mv = content["feats"] if "feats" in content else content["ECG"]["data"][0, 0]
        return dict(zip(LEADS, signal_mv.astype(np.float32), strict=True))
    try:
        record = wfdb.rdrecord(str(path))
    except wfdb.io.header.HeaderSyntaxError:  # six of CinC 2020 have ".mat" in the record name: by hand
        names = [line.split()[-1] for line in path.with_suffix(".hea").read_text().split("\n")[1:13]]
        digital = np.fromfile(path.with_suffix(".mat"), "<i2", offset=24).reshape(-1, 12).T
        return dict(zip(names, digital / 4880, strict=True))
    signals = zip(record.sig_name, record.units, record.p_signal.T, strict=True)
    return {name: signal * IN_MV[unit] for name, unit, signal in signals if canonical_lead(name)}


def largest_difference_mv(recording: Recording, expected_mv: dict[str, np.ndarray]) -> float:
    """Infinite where another lead, length or gap is read."""
    if list(recording.names) != list(expected_mv):
        return np.inf
    expected = np.stack([*expected_mv.values()])
    same_gaps = expected.shape == recording.signal_mv.shape and np.array_equal(
        np.isnan(expected), np.isnan(recording.signal_mv)
    )
    return float(np.nanmax(np.abs(expected - recording.signal_mv), initial=0.0)) if same_gaps else np.inf


def walk(folder: Path) -> tuple[dict[str, Counter], float]:
    """Counts by collection (the first folders) of every recording that is found, and the largest difference in mV."""
    counts: dict[str, Counter] = defaultdict(Counter)
    found, largest_mv = find_recordings(folder), 0.0
    for sentence in found.sentences:
        print(sentence)
    for location in found.recordings:
        collection = "/".join(location.path.relative_to(folder).parts[:-1][:2])
        counts[collection]["records"] += 1
        try:
            recording = read_recording(location)
        except RecordError as error:
            counts[collection][f"refused: {error.problem}"] += 1
            continue
        counts[collection]["extra signals"] += len(recording.extra_leads)
        difference_mv = largest_difference_mv(recording, oracle_mv(location.path))
        largest_mv = max(largest_mv, difference_mv)
        counts[collection]["equal" if difference_mv < HALF_A_MICROVOLT else "DIFFERENT"] += 1
    return counts, largest_mv


def main(folder: Path) -> int:
    if not any(folder.iterdir()):
        subprocess.run([SHARED / "unpack", folder], check=True)
    counts, largest_mv = walk(folder)
    for collection, found in sorted(counts.items()):
        print(f"{collection}: {', '.join(f'{name} {number:,}' for name, number in found.items() if number)}")
    total = sum(counts.values(), Counter())
    told = ", ".join(f"{name} {number:,}" for name, number in total.items())
    print(f"in all: {told}; largest difference {1000 * largest_mv:.2g} uV")
    return 1 if total["DIFFERENT"] else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as empty:
        sys.exit(main(Path(empty)))
