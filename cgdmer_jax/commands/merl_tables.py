"""Counts what MERL's published split tables hold: records and positives of each part, as released and exact."""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.evaluation.merl_tables import count_tables
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m experiments.merl_tables --tables=data/merl_data_split --out=results/merl-tables.json"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--tables",
        type=path_arguments.input_folder,
        required=True,
        help="MERL's finetune/data_split (docs/evaluation.md)",
    )
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file for the counts")
    args = parser.parse_args(words)
    counted = count_tables(args.tables)
    print(counted.text)
    if args.out:
        write_figures(args.out, counted.rows)
    return 0
