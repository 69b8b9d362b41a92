"""Copies the results of an evaluation into results/, where README and docs cite them: the macros, not each class.

Every class stays in the run folder; a thousand classes by group, leads and share of labels would be megabytes here.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.metrics.results import read_results, write_document
from cgdmer_jax.short_paths import short_line

EXAMPLE = (
    "python -m experiments.publish --results=runs/ptbxl-nano/evaluation/ptbxl/test/results.json "
    "--out=results/ptbxl-nano-test.json"
)
BY_CLASS = ("auroc", "auprc", "brier", "ece")  # metrics that each class has beside its macros


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--results", type=path_arguments.path, required=True, help="results.json of experiments.evaluate"
    )
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="file in results/")
    args = parser.parse_args(words)
    path_arguments.check_apart(args.out, args.results)
    document = read_results(args.results)
    kept = [row for row in document["rows"] if row["metric"] not in BY_CLASS or row["class"].startswith("macro_")]
    line = short_line(document["command"])  # an older evaluation may hold whole paths
    write_document(args.out, document | {"command": line, "rows": kept})
    print(f"{args.out}: {len(kept)} of {len(document['rows'])} rows")
    return 0
