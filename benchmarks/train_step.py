"""Training records per second of the same CG-DMER step: ours, torch as written, torch.compile; taken in turn.

All train the same sizes on the same batches, host to device included. Torch is given the draws (masks, masked words)
ready on the device; ours draws them in the step. bfloat16 there is autocast. Memory is each framework's own peak.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks.random_batch import random_batch
from cgdmer_jax import cli, path_arguments
from cgdmer_jax.batch import Batch
from cgdmer_jax.config import from_fields, load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.method import CgDmer
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.training_run import first_state
from cgdmer_jax.recipes.utilisation import PEAK, flop_a_record
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.sharding import make_mesh, place_batch
from cgdmer_jax.training.state import TrainState
from cgdmer_jax.training.step import make_step

EXAMPLE = "python -m benchmarks.train_step --config=configs/cgdmer.py:nano --out=results/train-step-nano.json"
WAYS = ("ours", "torch", "torch.compile")
RATE, SECONDS = 100, 10
BATCHES = 4  # different ones, in turn
SEED = 0  # no key: that would take hold of the devices before a command has said how many

Run = Callable[[int], float]  # so many further steps -> the last loss, once it is there


def method_of(config: ConfigDict, rate: int = RATE) -> CgDmer:
    return make_method(
        config.method_name,
        config.method.to_dict(),
        n_leads=12,
        n_samples=rate * SECONDS,
        rate=float(rate),
        vocabulary=config.data.vocabulary,
        max_tokens=config.data.max_tokens,
        full_stop=1,
    )


def batches_of(config: ConfigDict, rate: int = RATE) -> list[Batch]:
    data = config.data
    return [
        random_batch(data.batch_size, rate * SECONDS, data.max_tokens, data.vocabulary, seed) for seed in range(BATCHES)
    ]


def shapes_of_batch(config: ConfigDict, rate: int = RATE) -> Batch:
    """A batch as shapes alone."""
    one = random_batch(1, rate * SECONDS, config.data.max_tokens, config.data.vocabulary, 0)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((config.data.batch_size, *x.shape[1:]), x.dtype), one)


def ours(method: CgDmer, config: ConfigDict, batches: list[Batch]) -> Run:
    return runner(*compiled_step(method, config, batches[0]), batches)


def compiled_step(method: CgDmer, config: ConfigDict, batch: Batch) -> tuple[jax.stages.Compiled, TrainState]:
    """The step for batches of these sizes, and the state before the first."""
    mesh, optimizer_config, key = make_mesh(), optimizer_of(config), jax.random.key(SEED)
    state, optimizer = first_state(method, optimizer_config, batch, key, mesh)
    placed = jax.tree.map(lambda x: x.sharding, state)
    step = make_step(method, optimizer, key, optimizer_config.steps, placed)
    return step.lower(state, place_batch(batch, mesh)).compile(), state


def runner(step: jax.stages.Compiled, state: TrainState, batches: list[Batch]) -> Run:
    mesh, done = make_mesh(), 0

    def run(steps: int) -> float:
        nonlocal state, done
        for number in range(done, done + steps):
            state, metrics = step(state, place_batch(batches[number % BATCHES], mesh))
        done += steps
        return float(metrics["loss"])

    return run


def torchs(method: CgDmer, config: ConfigDict, batches: list[Batch], *, compiled: bool) -> Run:
    import torch

    from baselines.torch_cgdmer import training, weights

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, terms = weights.network_of(method)
    network.to(device)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as JAX has it by default
    draw = jax.jit(method.draw)
    data = [weights.step_of(batch, draw(jax.random.key(SEED), batch, jnp.float32(0.5)), device) for batch in batches]
    host = [tuple(torch.from_numpy(array) for array in (b.signal, b.length, b.token_mask)) for b in batches]
    bfloat16 = config.method.dtype == "bfloat16"
    step = training.make_step(
        network, terms, method.patch_samples, optimizer_of(config), bfloat16=bfloat16, compiled=compiled
    )
    done = 0

    def run(steps: int) -> float:
        nonlocal done
        for number in range(done, done + steps):
            signal, length, token_mask = (x.to(device, non_blocking=True) for x in host[number % BATCHES])
            batch = data[number % BATCHES]._replace(signal=signal, length=length.long(), token_mask=token_mask)
            loss, _ = step(number, batch)
        done += steps
        return float(loss)

    return run


def optimizer_of(config: ConfigDict) -> OptimizerConfig:
    return from_fields(OptimizerConfig, config.optimizer.to_dict())


def measure(
    config: ConfigDict, ways: tuple[str, ...], *, steps: int, repeats: int, accelerator: str, rate: int = RATE
) -> list[dict]:
    """A row for each way, and one for each ratio of ours to another (median, lowest and highest over the repeats)."""
    method, batches = method_of(config, rate), batches_of(config, rate)
    made = {
        "ours": lambda: ours(method, config, batches),
        "torch": lambda: torchs(method, config, batches, compiled=False),
        "torch.compile": lambda: torchs(method, config, batches, compiled=True),
    }
    runs, first, memory = {}, {}, {}
    for way in ways:
        begun = time.perf_counter()
        runs[way] = made[way]()
        runs[way](2)
        first[way], memory[way] = time.perf_counter() - begun, peak_gib(way)
        print(f"{way}: made and compiled in {first[way]:.0f} s", flush=True)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in runs.items():
            begun = time.perf_counter()
            if not np.isfinite(run(steps)):
                raise CgdmerError(f"the loss of {way} is not finite; this measures nothing")
            seconds[way].append(time.perf_counter() - begun)
    key = jax.random.key(SEED)
    flops = flop_a_record(method, jax.eval_shape(method.init, key, batches[0]), batches[0], key)
    common = {
        "rate": rate,
        "batch_size": config.data.batch_size,
        "dtype": config.method.dtype,
        "remat": config.method.remat,
        "unroll": config.method.unroll,
        "attention": config.method.attention,
        "steps": steps,
        "repeats": repeats,
        "device": jax.devices()[0].device_kind,
    }
    rows = []
    for way in ways:
        speed = steps * config.data.batch_size / statistics.median(seconds[way])
        row = {"way": way, "records_per_second": round(speed, 1), "first_two_steps_seconds": round(first[way], 1)}
        row |= {"peak_gib": memory[way], "gflop_a_record": round(flops / 1e9, 2)}
        if accelerator:
            row["model_flops_utilisation"] = round(speed * flops / PEAK[accelerator], 3)
        rows.append(row | common)
    for way in ways[1:] if ways[0] == "ours" else ():
        ratios = [theirs / mine for theirs, mine in zip(seconds[way], seconds["ours"], strict=True)]
        row = {"ratio": f"ours over {way}", "median": statistics.median(ratios)}
        rows.append(row | {"lowest": min(ratios), "highest": max(ratios)} | common)
    return rows


def peak_gib(way: str) -> float:
    """Peak memory of the accelerator so far; on a CPU, of the whole process."""
    if jax.default_backend() == "cpu":
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if way == "ours":
        return round(jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**30, 2)
    import torch

    peak = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    torch.cuda.reset_peak_memory_stats()
    return peak


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are overridden as --config.a.b=value")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"of {', '.join(WAYS)} (default all)")
    parser.add_argument("--steps", type=int, default=10, help="of each way, each time (default 10)")
    parser.add_argument("--rate", type=int, default=RATE, help=f"Hz of the 10 s recordings (default {RATE})")
    parser.add_argument("--repeats", type=int, default=5, help="turns of all ways (default 5)")
    parser.add_argument("--accelerator", default="", choices=["", *PEAK], help="for the model-FLOPs utilisation")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    # Both frameworks are to fit into the memory of one device; read when JAX first looks for devices.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    ways = tuple(args.ways.split(","))
    if unknown := set(ways) - set(WAYS):
        raise CgdmerError(f"--ways has {sorted(unknown)[0]}; there are {', '.join(WAYS)}")
    config = load_config(args.config, overrides)
    times = {"steps": args.steps, "repeats": args.repeats}
    rows = measure(config, ways, **times, accelerator=args.accelerator, rate=args.rate)
    for row in rows:
        if "way" in row:
            used = f", {row['model_flops_utilisation']:.1%} of the peak" if "model_flops_utilisation" in row else ""
            print(f"{row['way']:14} {row['records_per_second']:9.1f} records/s{used}, {row['peak_gib']} GiB")
        else:
            print(f"{row['ratio']}: {row['median']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})")
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
