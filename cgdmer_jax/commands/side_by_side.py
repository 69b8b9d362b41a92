"""Puts the first tables of several evaluations into one, as Markdown: runs and protocols beside each other."""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.report.side_by_side import side_by_side

EXAMPLE = "python -m experiments.side_by_side --results results/merl-protocol-*.json"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--results", type=path_arguments.path, nargs="+", required=True, help="files of evaluate or publish"
    )
    args = parser.parse_args(words)
    print(side_by_side(args.results))
    return 0
