"""Reads every real recording of ../shared/data beside wfdb and scipy, and compares their millivolts.

Prints, by collection, how many recordings are read, equal to the oracle and refused, with the reasons; ends with 1 if
one differs by half a microvolt.
"""

import contextlib
import subprocess
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import wfdb
from scipy.io import loadmat

from cgdmer_jax import cli
from cgdmer_jax.data.readers.formats import read_recording
from cgdmer_jax.data.readers.found_records import find_recordings
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.waveform.conditioning import LEADS, canonical_lead

EXAMPLE = "python -m tests.read_real_records --out=results/real-records.json"

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


@dataclass
class Compared:
    """Counts of the recordings of one collection, and the largest difference to the oracle."""

    counts: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    largest_mv: float = 0.0

    def row(self, collection: str) -> dict:
        """The row of --out, and the words of the output."""
        numbers = {name: self.counts[name] for name in ("records", "equal", "different", "extra_signals")}
        return {
            "collection": collection,
            **numbers,
            "refused": dict(sorted(self.refused.items())),
            "largest_difference_uv": round(1000 * self.largest_mv, 5),
        }


def walk(folder: Path) -> dict[str, Compared]:
    """Every recording that is found, by collection (the first folders); those of all under "all"."""
    compared: dict[str, Compared] = defaultdict(Compared)
    found = find_recordings(folder)
    for sentence in found.sentences:
        print(sentence)
    for location in found.recordings:
        collection = "/".join(location.path.relative_to(folder).parts[:-1][:2])
        for one in (compared[collection], compared["all"]):
            one.counts["records"] += 1
        try:
            recording = read_recording(location)
        except RecordError as error:
            for one in (compared[collection], compared["all"]):
                one.refused[error.problem] += 1
            continue
        difference_mv = largest_difference_mv(recording, oracle_mv(location.path))
        outcome = "equal" if difference_mv < HALF_A_MICROVOLT else "different"
        for one in (compared[collection], compared["all"]):
            one.counts["extra_signals"] += len(recording.extra_leads)
            one.counts[outcome] += 1
            one.largest_mv = max(one.largest_mv, difference_mv)
    return compared


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("folder", type=Path, nargs="?", help="where ../shared/data/unpack unpacked (default: anew)")
    parser.add_argument("--out", type=Path, help="JSON file for the counts")
    args = parser.parse_args(words)
    with contextlib.ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not any(folder.iterdir()):
            subprocess.run([SHARED / "unpack", folder], check=True)
        compared = walk(folder)
    names = [*sorted(compared.keys() - {"all"}), "all"]
    rows = [compared[name].row(name) for name in names]
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in row.items() if value or name == "different"))
    if args.out:
        write_figures(args.out, rows)
    return 1 if compared["all"].counts["different"] else 0


if __name__ == "__main__":
    cli.run(main)
