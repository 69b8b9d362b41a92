"""Copies the results of an evaluation into results/, where README and docs cite them: the macros, or each class.

Every class stays in the run folder; a thousand classes by group, leads and share of labels would be megabytes here.
With --classes the AUROC of each is copied, of all records with all labels and leads, and nothing else.
"""

from collections.abc import Mapping

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.metrics.results import read_results, write_document
from cgdmer_jax.short_paths import short_line

EXAMPLE = (
    "python -m experiments.publish --results=runs/ptbxl-nano/evaluation/ptbxl/test/results.json "
    "--out=results/ptbxl-nano-test.json"
)
EVALUATIONS = ("probe", "zero_shot", "finetune")
BY_CLASS = ("auroc", "auprc", "brier", "ece")  # metrics that each class has beside its macros


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--results", type=path_arguments.path, required=True, help="results.json of experiments.evaluate"
    )
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="file in results/")
    parser.add_argument("--classes", action="store_true", help="the AUROC of each class, not the macros")
    args = parser.parse_args(words)
    path_arguments.check_apart(args.out, args.results)
    document = read_results(args.results)
    wanted = is_of_class if args.classes else is_macro
    kept = [row for row in document["rows"] if wanted(row)]
    line = short_line(document["command"])  # an older evaluation may hold whole paths
    write_document(args.out, document | {"command": line, "rows": kept})
    print(f"{args.out}: {len(kept)} of {len(document['rows'])} rows")
    return 0


def is_macro(row: Mapping[str, object]) -> bool:
    """Whether it is a mean over classes, or no figure of classes."""
    return row["metric"] not in BY_CLASS or row["class"].startswith("macro_")


def is_of_class(row: Mapping[str, object]) -> bool:
    """Whether it is the AUROC of a class without any restriction, by a probe, by prompts or fine-tuned."""
    plain = (row["group"], row["label_fraction"], row["leads"], row["metric"]) == ("all", 1.0, "all", "auroc")
    return plain and row["evaluation"] in EVALUATIONS and not row["class"].startswith("macro_")
