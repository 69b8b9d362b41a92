"""A new user's path in a few minutes, on the Python that runs it: `python -m tests.smoke`.

Synthetic recordings, the quickstart's pretraining cut short, stopped and resumed, its evaluation, the model folder, and
an embedding. `.ci/run` calls it on the newest interpreter; the whole test suite runs on the default one.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS, STOPPED_AFTER = 40, 10
PREEMPTED = 75  # exit code: saved, and the same command goes on
EMBED = """
import sys
import numpy as np
import cgdmer_jax
encoder = cgdmer_jax.load(sys.argv[1])
signal = np.random.default_rng(0).normal(0, 0.3, (12, 1000))
vector = encoder.embed(signal, rate=100, leads=encoder.contract.leads, unit="mV")
assert vector.shape == (encoder.features["main"],) and np.isfinite(vector).all(), vector
print("embedded:", vector.shape)
"""


def run(*words: str) -> None:
    """Runs `python WORDS` to its end; anything but exit code 0 ends the smoke test."""
    begun = time.monotonic()
    print("$ python", *(word if "\n" not in word else "..." for word in words), flush=True)
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
    print(f"  {time.monotonic() - begun:.0f} s", flush=True)


def run_until(metrics: Path, step: int, *words: str) -> None:
    """Runs `python WORDS` until metrics.jsonl tells of that step, and has it saved and stopped by a SIGTERM."""
    print("$ python", *words, f"# SIGTERM after step {step}", flush=True)
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT)
    while not metrics.exists() or f'"step": {step},' not in metrics.read_text():
        assert process.poll() is None, f"ended with {process.returncode} before step {step}"
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    code = process.wait()
    assert code == PREEMPTED, f"exit code {code} after a SIGTERM, expected {PREEMPTED}"


def smoke(folder: Path) -> None:
    """Raises on the first thing that is not as the README says."""
    store, workdir, model = folder / "store", folder / "run", folder / "model"
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "cache")  # the resumed run need not compile again
    run("-m", "experiments.convert", "--source=synthetic", "--records=600", f"--out={store}")
    pretrain = [
        *("-m", "experiments.pretrain", "--config=configs/quickstart.py", f"--workdir={workdir}"),
        *(f"--config.data.stores={store}", f"--config.optimizer.steps={STEPS}", "--config.run.log_every=1"),
        *("--config.run.checkpoint_every=20", "--config.run.validate_every=20", "--config.run.validation_records=64"),
    ]
    run_until(workdir / "metrics.jsonl", STOPPED_AFTER, *pretrain)
    run(*pretrain)
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == [*range(1, STEPS + 1)], f"the curve has steps {steps}"
    run("-m", "experiments.evaluate", f"--run={workdir}", f"--store={store}", "--split=test", "--parts=zero_shot")
    run("-m", "experiments.export_model", f"--run={workdir}", f"--out={model}")
    run("-c", EMBED, str(model))


def main() -> None:
    begun = time.monotonic()
    packages = ", ".join(f"{name} {version(name)}" for name in ("jax", "flax", "orbax-checkpoint", "numpy"))
    print(f"smoke test on Python {platform.python_version()}, {packages}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        smoke(Path(folder))
    print(f"smoke test on Python {platform.python_version()}: passed in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
