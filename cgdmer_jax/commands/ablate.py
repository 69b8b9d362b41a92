"""Runs a named grid of short trainings, scores each on validation, and compares them with the reference row.

The same command goes on where it was stopped: a (row, seed) whose JSON has its config is not run again. The table is of
all finished rows, whichever were run now.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.studies.ablation import ablate

EXAMPLE = "python -m experiments.ablate --grid=configs/ablations/cgdmer.py --store=stores/ptbxl100 --only=both,masked"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--grid", type=path_arguments.names, required=True, help="Python file with get_grid()")
    parser.add_argument(
        "--store", type=path_arguments.names, required=True, help="converted store: trained on and scored"
    )
    parser.add_argument("--only", default="", help="rows to run, by comma (default: all)")
    parser.add_argument(
        "--workdir", type=path_arguments.path, default="runs/ablations", help="folder of the run folders"
    )
    parser.add_argument("--out", type=path_arguments.path, default="results", help="folder of the JSON files")
    parser.add_argument(
        "--figure", type=path_arguments.path, default="docs/img/ablation.svg", help="where the figure is drawn"
    )
    parser.add_argument("--dry_run", action="store_true", help="say what would run, and stop")
    args = parser.parse_args(words)
    return ablate(
        args.grid,
        args.store,
        only=args.only,
        workdir=args.workdir,
        out=args.out,
        figure=args.figure,
        dry_run=args.dry_run,
    )
