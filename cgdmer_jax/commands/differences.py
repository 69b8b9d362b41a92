"""Compares probes, floors and fine-tuned runs of the same records, with paired intervals, and prints them as Markdown.

Every macro AUROC of a probe or a fine-tuned model is told with its difference to each reference, at each share of the
labels that both have.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.studies.differences import differences, in_words

FLOOR = "probe/random_convolutions/ridge"
EXAMPLE = (
    "python -m experiments.differences --results runs/quickstart/evaluation/synthetic/test "
    "runs/finetuned/evaluation/synthetic/test/finetune --out=results/differences.json"
)


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--results", type=path_arguments.path, nargs="+", required=True, help="folders with results.json of one split"
    )
    parser.add_argument(
        "--to", nargs="+", default=[FLOOR], metavar="NAME", help=f"references, as they are printed (default {FLOOR})"
    )
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON to write")
    args = parser.parse_args(words)
    print(in_words(differences(args.results, args.to, args.out), args.to))
    print(f"rows: {args.out}")
    return 0
