"""Two evaluations of one checkpoint on one store, by different commits: seconds of each part, and rows compared."""

from collections import Counter

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import KEY, read_results
from cgdmer_jax.provenance import write_figures

EXAMPLE = (
    "python -m benchmarks.evaluation_time --before=runs/old/evaluation/ptbxl/validation/results.json "
    "--after=runs/new/evaluation/ptbxl/validation/results.json --out=results/evaluation-time.json"
)
NUMBERS = ("value", "low", "high")
TOLERANCE = 1.5e-6  # rows have six decimals, so that those which differ by rounding alone are up to 1e-6 apart


def compare_rows(before: list[dict], after: list[dict]) -> list[dict]:
    """For each kind of figure the number of rows, of those that differ by more than 1e-6, and the largest difference.

    Raises CgdmerError where the two do not have the same rows.
    """
    keyed = [{tuple(row[field] for field in KEY if field != "run"): row for row in rows} for rows in (before, after)]
    if keyed[0].keys() != keyed[1].keys():
        (lost, *_) = [*(keyed[0].keys() ^ keyed[1].keys())]
        raise CgdmerError(f"the row {lost} is in one of the two results alone; evaluate the same run, store and parts")
    n_rows, n_beyond, largest = Counter(), Counter(), Counter()
    for key, row in keyed[0].items():
        kind = (row["evaluation"], row["metric"])
        difference = max(_difference(row[name], keyed[1][key][name]) for name in NUMBERS)
        n_rows[kind] += 1
        n_beyond[kind] += difference > TOLERANCE
        largest[kind] = max(largest[kind], difference)
    return [
        {"evaluation": kind[0], "metric": kind[1], "rows": n, "beyond_1e-6": n_beyond[kind], "largest": largest[kind]}
        for kind, n in n_rows.items()
    ]


def _difference(one: float | None, other: float | None) -> float:
    """Infinite where one of the two alone is undefined."""
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    return abs(one - other)


def parts_of(document: dict, which: str) -> list[dict]:
    """Seconds of each part."""
    origin = document["origin"]
    return [
        {"which": which, "commit": document["commit"], "part": name, "seconds": s, "cpu_seconds": cpu}
        for (name, s), cpu in zip(origin["seconds"].items(), origin["cpu_seconds"].values(), strict=True)
    ]


def main(words: list[str]) -> None:
    parser = cli.parser(__doc__, EXAMPLE)
    for name in ("before", "after"):
        parser.add_argument(f"--{name}", type=path_arguments.path, required=True, help="results.json")
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON to write")
    args = parser.parse_args(words)
    before, after = read_results(args.before), read_results(args.after)
    compared = compare_rows(before["rows"], after["rows"])
    for row in compared:
        print(row)
    write_figures(args.out, [*parts_of(before, "before"), *parts_of(after, "after"), *compared])


if __name__ == "__main__":
    cli.run(main)
