"""Batches and records per second through the training loader, read-ahead thread included, and its process's memory."""

import os
import resource
import statistics
import time
from pathlib import Path

import numpy as np

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m benchmarks.loader --store=stores/ptbxl100 --out=results/loader.json"

TOKENS = 48  # a report, as the nano config cuts it


def measure(store: str, batch_size: int, n_batches: int, repeats: int) -> dict[str, str | int | float]:
    """Median over the repeats; the first batch of each is read before the clock starts."""
    corpus = open_corpus([store])
    tokens = np.zeros((len(corpus.texts), TOKENS), np.int32)
    loader = Loader(corpus, corpus.lines("train"), tokens, tokens > 0, batch_size=batch_size, seed=0)
    wall, cpu = [], []
    for repeat in range(repeats):
        batches = loader.prefetch(repeat * n_batches, (repeat + 1) * n_batches + 1)
        next(batches)
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        for _ in batches:
            pass
        wall.append(time.perf_counter() - wall_began)
        cpu.append(time.process_time() - cpu_began)
    seconds = statistics.median(wall)
    return {
        "store": Path(store).name,
        "n_samples": corpus.n_samples,
        "batch_size": batch_size,
        "batches": n_batches,
        "repeats": repeats,
        "batches_per_second": round(n_batches / seconds, 1),
        "records_per_second": round(n_batches * batch_size / seconds),
        "records_per_cpu_second": round(n_batches * batch_size / statistics.median(cpu)),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),  # so far, with JAX and all else
        "cores": len(os.sched_getaffinity(0)),
    }


def main(words: list[str]) -> int:
    """Prints one line a batch size; writes the rows where --out says."""
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--store", type=path_arguments.names, required=True, help="a converted store")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--records", type=int, default=32768, help="gathered in each repeat (default 32768)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args = parser.parse_args(words)
    rows = []
    for batch_size in args.batch_sizes:
        rows.append(measure(args.store, batch_size, max(1, args.records // batch_size), args.repeats))
        print(
            f"batch {batch_size:5d}: {rows[-1]['batches_per_second']:8.1f} batches/s, "
            f"{rows[-1]['records_per_second']:7d} records/s"
        )
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
