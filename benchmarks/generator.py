"""Synthetic records per second on one core: signals and reports, and the listing (reports alone)."""

import statistics
import time
from collections.abc import Callable

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.synthetic.dataset import generate, list_records
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m benchmarks.generator --out=results/generator.json"

WORK: dict[str, Callable[[int, int, int], object]] = {
    "generate": lambda seed, n, rate: generate(seed, n, rate),
    "list": lambda seed, n, rate: list_records(seed, n),
}


def measure(what: str, rate: int, n: int, repeats: int) -> dict[str, str | int | float]:
    """Median over the repeats of CPU time (all threads): records per second of one core."""
    WORK[what](0, 64, rate)
    seconds = []
    for seed in range(repeats):
        began = time.process_time()
        WORK[what](seed, n, rate)
        seconds.append(time.process_time() - began)
    median = statistics.median(seconds)
    return {
        "work": what,
        "rate": rate,
        "records": n,
        "repeats": repeats,
        "cpu_seconds": round(median, 3),
        "records_per_core_second": round(n / median),
    }


def main(words: list[str]) -> int:
    """Prints one line a kind of work; writes the rows where --out says."""
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--records", type=int, default=2000, help="made in each repeat (default 2000)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args = parser.parse_args(words)
    rows = []
    for what, rate in (("generate", 100), ("generate", 500), ("list", 100)):
        rows.append(measure(what, rate, args.records, args.repeats))
        print(f"{what:8s} at {rate} Hz: {rows[-1]['records_per_core_second']:6d} records/s on one core")
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
