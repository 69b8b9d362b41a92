"""The smallest real run: CG-DMER of width 16 on synthetic recordings, a few steps, started as a user starts it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from orbax.checkpoint import v1 as ocp

from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.training.log import untimed

ROOT = Path(__file__).parents[1]


def narrow(*parts: str) -> list[str]:
    """Overrides that make these parts of a method, and the batches, small."""
    sizes = [f"--config.method.{part}.{name}" for part in parts for name in ("width=16", "depth=1")]
    return [*sizes, "--config.data.batch_size=8", "--config.run.validation_records=8"]


SMALL = [*narrow("ecg", "text", "second", "decoder"), "--config.method.embed_dim=16"]
METHODS = {
    "cgdmer": ["--config=configs/cgdmer.py:quickstart", *SMALL],
    "cmelt": [
        "--config=configs/cmelt.py:nano",
        *narrow("ecg", "text", "decoder", "fusion"),
        "--config.method.fusion.depth=2",
        "--config.method.front_channels=16",
    ],
    "kmerl": ["--config=configs/kmerl.py:nano", *narrow("ecg", "text", "query"), "--config.method.embed_dim=16"],
}


def make_store(folder: Path, n_records: int = 160) -> Path:
    convert(synthetic.open_source(n_records, 50, 0), folder, rate=50, processes=1, progress=False)
    return folder


def start_pretrain(
    workdir: Path,
    store: Path,
    *more: str,
    module: str = "experiments.pretrain",
    method: str = "cgdmer",
    **variables: str,
) -> subprocess.Popen:
    """The command in a process of its own."""
    words = [*METHODS[method], f"--workdir={workdir}", f"--config.data.stores={store}"]
    return start_module(module, [*words, *more], **variables)


def start_command(name: str, words: list[str]) -> subprocess.Popen:
    return start_module(f"experiments.{name}", words)


def start_module(module: str, words: list[str], **variables: str) -> subprocess.Popen:
    environment = os.environ | {"JAX_PLATFORMS": "cpu"} | variables
    words = [sys.executable, "-m", module, *words]
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def curve(workdir: Path) -> list[dict]:
    """metrics.jsonl without what is about time."""
    return [untimed(record) for record in read_metrics(workdir / "metrics.jsonl")]


def hashes(workdir: Path, step: int) -> dict:
    """Hashes of the restored arrays' bytes: two runs agree exactly when these do."""
    state = ocp.load((workdir / "checkpoints" / str(step) / "state").absolute())
    return {name: hashlib.sha256(np.asarray(x).tobytes()).hexdigest() for name, x in state.items()}
