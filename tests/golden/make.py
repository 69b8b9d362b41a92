"""`python -m tests.golden.make`: folders as commit b09bd52 writes them, packed for tests/test_golden.py.

A clone of that commit makes a store of format 3, a run that is stopped half way, its evaluation and its model folder,
all by its own commands; beside them go the values that it reads and computes from them. It takes a few minutes and
needs the repository's history. The archive in git was made on one machine; `--out=FILE` makes another one here, and
`GOLDEN=FILE python -m pytest tests/test_golden.py` then compares with it to the bit.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tests import xla_options
from tests.golden import model_in_use

COMMIT = "b09bd52"
ROOT = Path(__file__).parents[2]
ARCHIVE = Path(__file__).with_name(f"{COMMIT}.tar.xz")
MOST_BYTES = 200_000
# Paths in the archive, where each command finds them from the archive's root.
STORE, RUN, WHOLE, MODEL, RECORDS = "stores/golden", "runs/golden", "runs/whole", "models/golden", "records"
EXPECTED = "expected"
# A second is the shortest record that a store takes, and 58 records are the fewest with 4 patients to validate on.
CONVERT = ["--source=synthetic", "--records=58", "--rate=100", "--seconds=1", "--processes=1"]
PRETRAIN = [
    *(
        f"--config.method.{part}.{name}"
        for part in ("ecg", "text", "second", "decoder")
        for name in ("width=4", "depth=1", "heads=2")
    ),
    "--config.method.embedding=4",
    "--config.method.patch_seconds=0.2",
    f"--config.data.stores={STORE}",
    "--config.data.batch_size=4",
    "--config.data.vocabulary=100",
    "--config.data.max_tokens=16",
    "--config.optimizer.steps=5",
    "--config.run.log_every=1",
    "--config.run.validate_every=2",
    "--config.run.validation_records=4",
    "--config.run.diagnose_every=0",
]
STOPPED_AT = 3
EVALUATE = [f"--run={RUN}", f"--store={STORE}", "--split=test", "--random_seeds=1", "--kernels=84"]
# Imports are those of the old commit, here and in model_in_use.py: a move of modules leaves them as they are.
READ_STORE = """
import hashlib, json, sys
import numpy as np
from cgdmer_jax.data.store import open_store
store = open_store(sys.argv[1])
signal = store.read(np.arange(store.n_rows))
values = {"fingerprint": store.fingerprint, "shape": signal.shape, "texts": store.texts}
values["signal"] = hashlib.sha256(signal.tobytes()).hexdigest()
values["records"] = store.column("record_id").tolist()
values["labels"] = store.labels("findings").sum(0).tolist()
print(json.dumps(values))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ARCHIVE, help="archive, made or replaced")
    args = parser.parse_args()
    xla_options.set_options()
    with tempfile.TemporaryDirectory() as folder:
        old, golden = Path(folder) / "old", Path(folder) / "golden"
        subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(old)], check=True)
        subprocess.run(["git", "-C", str(old), "checkout", "--quiet", COMMIT], check=True)
        make(old, golden)
        pack(golden, args.out)


def make(old: Path, golden: Path) -> None:
    """Fills the folder `golden` by the commands of the checkout `old`."""
    expected = golden / EXPECTED
    expected.mkdir(parents=True)
    write_records(golden / RECORDS)
    run(old, "convert", *CONVERT, f"--out={STORE}")
    run(old, "pretrain", *pretrain_words(WHOLE))
    stop(start(old, "pretrain", *pretrain_words(RUN)), old / RUN)
    run(old, "evaluate", *EVALUATE)
    run(old, "export_model", f"--run={RUN}", f"--out={MODEL}")
    run(old, "embed", f"--model={MODEL}", f"--records={golden / RECORDS}", f"--out={expected / 'embeddings.npz'}")
    script = Path(model_in_use.__file__)
    done(python(old, str(script), MODEL, str(expected / "model.npz")))
    (expected / "store.json").write_text(done(python(old, "-c", READ_STORE, STORE)))
    (evaluation,) = (old / RUN / "evaluation").glob("*/test")
    for name in ("own", "random"):
        shutil.copy(features_file(evaluation, name), expected / f"features-{name}.npz")
    for path in evaluation.iterdir():  # results.json stays: it is a part of the run that others read
        if path.name != "results.json":
            path.unlink()
    for step in (old / RUN / "checkpoints").iterdir():
        if step.name != str(STOPPED_AT):
            shutil.rmtree(step)
    shutil.copy(old / WHOLE / "metrics.jsonl", expected / "metrics.jsonl")
    (expected / "machine.json").write_text(json.dumps(machine(), indent=1))
    for name in (STORE, RUN, MODEL):
        shutil.copytree(old / name, golden / name)


def pretrain_words(workdir: str, config: Path | str = "configs/cgdmer.py") -> list[str]:
    return [f"--config={config}:quickstart", f"--workdir={workdir}", *PRETRAIN]


def start(old: Path, command: str, *words: str) -> subprocess.Popen:
    return python(old, "-m", f"experiments.{command}", *words)


def python(old: Path, *words: str) -> subprocess.Popen:
    """Python in the checkout, whose modules it imports whatever is installed."""
    environment = os.environ | {"PYTHONPATH": str(old), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen([sys.executable, *words], cwd=old, env=environment, text=True, stdout=subprocess.PIPE)


def run(old: Path, command: str, *words: str) -> None:
    done(start(old, command, *words))


def done(process: subprocess.Popen, code: int = 0) -> str:
    """Everything that it printed."""
    output, _ = process.communicate()
    if process.returncode != code:
        raise SystemExit(f"{process.args} ended with code {process.returncode}, expected {code}:\n{output}")
    return output


def stop(process: subprocess.Popen, workdir: Path) -> None:
    """Sends SIGTERM while the step before STOPPED_AT is validated, for which it compiles several seconds."""
    metrics = workdir / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and f'"step": {STOPPED_AT - 1},' in metrics.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    done(process, 75)
    if not (workdir / "checkpoints" / str(STOPPED_AT) / "manifest.json").exists():
        raise SystemExit(f"the run was not stopped at step {STOPPED_AT}; run this program again on a quieter machine")


def features_file(evaluation: Path, name: str) -> Path:
    """The cached features of all records by the trained encoder (`own`) or by the one of random weights."""
    found = []
    for path in evaluation.glob("features-*.npz"):
        with np.load(path) as arrays:
            whole = {"main", "aligned"} <= set(arrays.files)  # else of single leads
        if whole and ("random" in path.name) == (name == "random"):
            found.append(path)
    (file,) = found
    return file


def write_records(folder: Path) -> None:
    """Two WFDB records; the second one is of another rate, and its leads are in another order."""
    folder.mkdir()
    leads = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()
    for name, rate, order in (("a", 100, leads), ("b", 250, leads[::-1])):
        digital = model_in_use.signal_uv(rate)[[leads.index(lead) for lead in order]].astype("<i2").T
        lines = [f"{name} 12 {rate} {len(digital)}"]
        for lead, values in zip(order, digital.T, strict=True):
            checksum = np.int64(values.sum(dtype=np.int64)).astype(np.int16)
            lines.append(f"{name}.dat 16 1000.0(0)/mV 16 0 {values[0]} {checksum} 0 {lead}")
        (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.dat").write_bytes(digital.tobytes())


def machine() -> dict[str, object]:
    """Everything known to move the last bits of a float: where it is equal, so are they."""
    cpu, listed = {}, Path("/proc/cpuinfo")  # Linux has it
    for line in listed.read_text().splitlines() if listed.exists() else ():
        name, _, value = line.partition(":")
        cpu.setdefault(name.strip(), value.strip())
    return {
        "cpu": [cpu.get(name) for name in ("model name", "cpu family", "model")],
        "instructions_sha256": hashlib.sha256(cpu.get("flags", "").encode()).hexdigest(),
        "cores": len(os.sched_getaffinity(0)),
        "xla_flags": os.environ.get("XLA_FLAGS"),
        **{name: version(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")},
    }


def pack(golden: Path, out: Path) -> None:
    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(out, "w:xz", preset=9) as archive:
        for path in sorted(golden.iterdir()):
            archive.add(path, path.name, filter=plain)
    size = out.stat().st_size
    print(f"{out}: {size:,} bytes")
    if size > MOST_BYTES:
        raise SystemExit(f"{out} has more than {MOST_BYTES:,} bytes; make its parts smaller")


if __name__ == "__main__":
    main()
