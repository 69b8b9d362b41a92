"""Embedding: seconds to the first vector of a loaded model, and recordings per second beside the same model in torch.

- The first vector is timed in processes of their own, without the cache of compiled programs and with it filled.
- Throughput is that of recordings already prepared: ours and torch's forward pass in turn, and their share of the rate
  at which this machine multiplies large matrices.
- A folder of WFDB recordings at 500 Hz goes through the command's own function, reading and resampling included.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import wfdb

from benchmarks.random_batch import random_batch
from benchmarks.train_step import RATE, SECONDS, SEED, method_of
from cgdmer_jax import cli, path_arguments
from cgdmer_jax.batch import Batch
from cgdmer_jax.config import load_config
from cgdmer_jax.data.synthetic.dataset import generate_records
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.batched import embed_recordings, records_at_once
from cgdmer_jax.methods.cgdmer.method import CgDmer
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.flops import matmul_flops
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.embed_recordings import embed_folder
from cgdmer_jax.waveform.conditioning import LEADS

EXAMPLE = "python -m benchmarks.embedding --model=models/quickstart --out=results/embedding.json"
FIRST_VECTOR = """
import json, sys, time
begun = time.perf_counter()
import numpy as np
import cgdmer_jax
imported = time.perf_counter()
encoder = cgdmer_jax.load(sys.argv[1])
loaded = time.perf_counter()
signal = np.random.default_rng(0).normal(0, 0.3, (12, 5000))
encoder.embed(signal, 500, "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split(), "mV")
first = time.perf_counter()
encoder.embed(signal, 500, "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split(), "mV")
second = time.perf_counter()
print(json.dumps({"import": imported - begun, "load": loaded - imported, "first": first - loaded,
                  "second": second - first}))
"""
TORCH_BATCHES = (4, 16, 64)  # the fastest counts
PRODUCT = 2048  # rows and columns of the matrices whose product is the machine's peak
TOLERANCE = 1e-4


def first_vectors(model: Path, processes: int) -> list[dict]:
    """A row without a cache, and one with a cache that an earlier process filled: seconds of each process."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for cache, place in (("off", "off"), ("filled", folder)):
            times = [_first_vector(model, place) for _ in range(processes + (cache == "filled"))][-processes:]
            whole = [sum(one[part] for part in ("import", "load", "first")) for one in times]
            parts = {f"{part}_seconds": round(statistics.median(one[part] for one in times), 3) for part in times[0]}
            rows.append(
                {"measure": "first vector", "cache": cache, "seconds": [round(one, 2) for one in whole]} | parts
            )
    return rows


def _first_vector(model: Path, cache: str) -> dict[str, float]:
    command = [sys.executable, "-c", FIRST_VECTOR, str(model)]
    environment = os.environ | {"CGDMER_CACHE": cache, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise CgdmerError(f"embedding with {model} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def throughput(method: CgDmer, n_records: int, repeats: int, max_tokens: int) -> list[dict]:
    """Ours and torch's on the same recordings, in turn; raises where their features differ."""
    batch = random_batch(n_records, RATE * SECONDS, max_tokens, method.network.vocabulary, SEED)
    few = jax.tree.map(jnp.asarray, _part(batch, 0, 2))
    variables = method.init(jax.random.key(SEED), few)
    ways = {"ours": _ours(method, variables, batch)}
    ways |= {f"torch, batches of {size}": _torchs(method, variables, batch, size) for size in TORCH_BATCHES}
    features = {way: run(n_records) for way, run in ways.items()}
    for way, made in features.items():
        worst = float(np.abs(made - features["ours"]).max())
        if not worst < TOLERANCE:
            raise CgdmerError(f"{way}: features differ from ours by {worst:.2g}; this compares nothing")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            begun = time.perf_counter()
            run(n_records)
            seconds[way].append(time.perf_counter() - begun)
    flops = matmul_flops(method.embed_ecg, variables, few) / 2
    peak = matmul_peak()
    rows = []
    for way, times in seconds.items():
        speed = n_records / statistics.median(times)
        rows.append({"measure": "throughput", "way": way, "records": n_records, "records_per_second": round(speed, 1)})
        rows[-1] |= {"share_of_matmul_peak": round(speed * flops / peak, 3), "matmul_peak_gflops": round(peak / 1e9)}
    best = min(list(ways)[1:], key=lambda way: statistics.median(seconds[way]))
    ratios = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds[best], strict=True)]
    spread = {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return [*rows, {"ratio": f"ours over {best}"} | {name: round(value, 3) for name, value in spread.items()}]


def _ours(method: CgDmer, variables: Variables, batch: Batch) -> Callable[[int], np.ndarray]:
    embed = jax.jit(lambda variables, batch: {"main": method.embed_ecg(variables, batch)["main"]})
    size = records_at_once()

    def run(n_records: int) -> np.ndarray:
        parts = ((_part(batch, at, size), size) for at in range(0, n_records, size))
        return embed_recordings(embed, variables, parts)["main"]

    return run


def _part(batch: Batch, start: int, size: int) -> Batch:
    return jax.tree.map(lambda x: x[start : start + size], batch)


def _torchs(method: CgDmer, variables: Variables, batch: Batch, size: int) -> Callable[[int], np.ndarray]:
    import torch

    from baselines.torch_cgdmer import weights
    from baselines.torch_cgdmer.network import Slots

    network, _ = weights.network_of(method)
    weights.transplant(variables.params, network)
    # The patches are ours, made beforehand: scaling them is no part of what is compared.
    patches = np.array(jax.jit(lambda batch: method.patches(batch, batch.lead_mask)[0])(batch))
    patches = torch.from_numpy(patches.reshape(len(patches), -1, patches.shape[-1]))
    index = torch.arange(patches.shape[1])

    @torch.inference_mode()
    def run(n_records: int) -> np.ndarray:
        made = []
        for at in range(0, n_records, size):
            some = patches[at : at + size]
            kept = Slots(index.expand(len(some), -1), torch.full((len(some),), len(index)))
            parts = network.second_encoders("ecg", network.ecg_encoder(some, kept), kept.live())
            made.append(torch.cat([parts.shared.mean(1), parts.specific.mean(1)], 1).numpy())
        return np.concatenate(made)

    return run


def matmul_peak() -> float:
    """FLOP/s of a large float32 product, the best of ten."""
    square = jnp.ones((PRODUCT, PRODUCT), jnp.float32)
    product = jax.jit(jnp.matmul)
    product(square, square).block_until_ready()
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        product(square, square).block_until_ready()
        times.append(time.perf_counter() - begun)
    return 2 * PRODUCT**3 / min(times)


def folder(model: Path, n_records: int, repeats: int) -> dict:
    """Row of a folder of WFDB recordings of 10 s at 500 Hz: seconds from the loaded model to the written file."""
    with tempfile.TemporaryDirectory() as place:
        records = Path(place, "records")
        records.mkdir()
        for number in range(n_records):
            signal_mv = generate_records(SEED, np.array([number]), 500, 10.0).signal_mv[0]
            digital = np.round(signal_mv.T * 1000).astype(np.int16)
            wfdb.wrsamp(
                f"r{number:05d}",
                fs=500,
                units=["mV"] * 12,
                sig_name=list(LEADS),
                d_signal=digital,
                fmt=["16"] * 12,
                adc_gain=[1000.0] * 12,
                baseline=[0] * 12,
                write_dir=str(records),
            )
        times = []
        for number in range(repeats + 1):
            begun = time.perf_counter()
            embed_folder(str(model), records, Path(place, f"{number}.npz"))
            times.append(time.perf_counter() - begun)
    seconds = statistics.median(times[1:])  # the first fills the cache of compiled programs
    row = {"measure": "folder of WFDB recordings at 500 Hz, loading the model included", "records": n_records}
    return row | {"seconds": round(seconds, 2), "records_per_second": round(n_records / seconds, 1)}


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--model", type=path_arguments.path, required=True, help="model folder, such as the quickstart's"
    )
    parser.add_argument("--config", default="configs/cgdmer.py:nano", help="model of the throughput (default nano)")
    parser.add_argument("--records", type=int, default=2000, help="of the throughput (default 2000)")
    parser.add_argument("--folder_records", type=int, default=256, help="WFDB recordings (default 256)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    config = load_config(args.config, overrides)
    rows = first_vectors(args.model, args.repeats)
    rows.append(folder(args.model, args.folder_records, args.repeats))
    rows += throughput(method_of(config), args.records, args.repeats, config.data.max_tokens)
    for row in rows:
        print(row)
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
