"""The smallest real run: CG-DMER of width 16 on synthetic recordings, a few steps, started as a user starts it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from orbax.checkpoint import v1 as ocp

from cgdmer_jax.data.convert import convert
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.training.log import untimed
from cgdmer_jax.training.metrics_file import read_metrics

ROOT = Path(__file__).parents[1]
SMALL = [
    *(
        f"--config.method.{part}.{name}"
        for part in ("ecg", "text", "second", "decoder")
        for name in ("width=16", "depth=1")
    ),
    "--config.method.embedding=16",
    "--config.data.batch_size=8",
    "--config.run.validation_records=8",
]


def make_store(folder: Path, n_records: int = 160) -> Path:
    convert(synthetic.open_source(n_records, 50, 0), folder, rate=50, processes=1, progress=False)
    return folder


def start_pretrain(workdir: Path, store: Path, cache: Path, *more: str) -> subprocess.Popen:
    """The command in a process of its own, which shares compiled code with the others through `cache`."""
    words = ["--config=configs/cgdmer.py:quickstart", f"--workdir={workdir}", f"--config.data.stores={store}"]
    return start_command("pretrain", [*words, *SMALL, *more], cache)


def start_command(name: str, words: list[str], cache: Path) -> subprocess.Popen:
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
    }
    words = [sys.executable, "-m", f"experiments.{name}", *words]
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def curve(workdir: Path) -> list[dict]:
    """metrics.jsonl without what is about time."""
    return [untimed(record) for record in read_metrics(workdir / "metrics.jsonl")]


def hashes(workdir: Path, step: int) -> dict:
    """Of the arrays' bytes, as restored: two runs agree exactly when these do."""
    state = ocp.load((workdir / "checkpoints" / str(step) / "state").absolute())
    return {name: hashlib.sha256(np.asarray(x).tobytes()).hexdigest() for name, x in state.items()}
