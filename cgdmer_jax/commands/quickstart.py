"""The README's first command: makes the embedded recordings, pretrains CG-DMER on them and scores it."""

import resource
import time
from pathlib import Path

from cgdmer_jax import cli, path_arguments, provenance
from cgdmer_jax.config import shipped
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluate import evaluate
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes.pretrain import pretrain

EXAMPLE = "python -m experiments.quickstart --workdir=runs/quickstart"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--workdir",
        type=path_arguments.path,
        help="run folder (default runs/quickstart, or runs/quickstart-STEPS with --steps)",
    )
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the config's; 20 try out an installation)")
    args = parser.parse_args(words)
    if args.steps is not None and args.steps < 1:
        raise CgdmerError(f"--steps={args.steps}: expected at least 1")
    settings = shipped("quickstart")
    config = settings.get_config()
    if args.steps:
        config.optimizer.steps = args.steps
    store = config.data.stores[0]
    run = args.workdir or Path("runs", f"quickstart-{args.steps}" if args.steps else "quickstart")

    shares, start = {}, time.monotonic()
    source = synthetic.open_source(settings.RECORDS, settings.RATE, settings.DATA_SEED)
    made = convert(source, Path(store), rate=settings.RATE, processes=provenance.n_cpus())
    shares["recordings"] = time.monotonic() - start

    start, is_new = time.monotonic(), not run.exists()
    code = pretrain(config, run)
    shares["pretraining"] = time.monotonic() - start
    if code:
        return code

    start = time.monotonic()
    evaluate(
        run,
        store,
        "test",
        checkpoint=None,
        features=("main",),
        random_seeds=1,
        kernels=settings.KERNELS,
        parts=("probe", "zero_shot", "floors", "retrieval"),
    )
    shares["evaluation"] = time.monotonic() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if is_new:  # a run that was continued tells only how long its rest took
        whole = {name: s for name, s in shares.items() if name != "recordings" or made.n_converted == made.n_rows}
        rows = [{"part": name, "seconds": round(seconds, 1)} for name, seconds in whole.items()]
        write_figures(run / "quickstart.json", [*rows, {"part": "all", "peak_memory_gib": round(memory, 2)}])
    print(", ".join(f"{name} {seconds:.0f} s" for name, seconds in shares.items()), end="; ")
    print(f"{sum(shares.values()):.0f} s in all, {memory:.1f} GiB at most")
    return 0
