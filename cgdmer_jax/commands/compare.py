"""Trains several configs on equally many records of one store, scores all alike, and puts them on one page.

The same command goes on where it was stopped: a (config, seed) whose JSON is there is not run again. The page is of all
finished runs of the configs given; differences are to the first, on the same resampled patients.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.studies.comparison import compare
from cgdmer_jax.studies.study import FINETUNING_STEPS

EXAMPLE = (
    "python -m experiments.compare --configs configs/cgdmer.py:nano configs/merl.py:nano --store=stores/ptbxl100 "
    "--records=38400"
)


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--configs", nargs="+", required=True, metavar="FILE:SIZE", help="the first is the reference")
    parser.add_argument(
        "--store", type=path_arguments.names, required=True, help="converted store: trained on and scored"
    )
    parser.add_argument("--records", type=int, required=True, help="records that each run sees, epochs included")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the runs of each config (default 0)")
    parser.add_argument(
        "--split", default="validation", choices=("validation", "test"), help="what is scored (default validation)"
    )
    parser.add_argument(
        "--workdir", type=path_arguments.path, default="runs/comparison", help="folder of the run folders"
    )
    parser.add_argument("--out", type=path_arguments.path, default="results", help="folder of the JSON files and page")
    parser.add_argument("--finetune", nargs="+", default=(), metavar="TASK", help="fine-tune each on these tasks too")
    parser.add_argument(
        "--finetune_steps", type=int, default=FINETUNING_STEPS, help=f"of each fine-tuning (default {FINETUNING_STEPS})"
    )
    parser.add_argument(
        "--merl_tables", type=path_arguments.path, help="MERL's finetune/data_split: score by protocol merl too"
    )
    parser.add_argument("--dry_run", action="store_true", help="say what would run and what it costs, and stop")
    args = parser.parse_args(words)
    return compare(
        args.configs,
        args.store,
        records=args.records,
        seeds=args.seeds,
        split=args.split,
        workdir=args.workdir,
        out=args.out,
        finetuned=args.finetune,
        finetuning_steps=args.finetune_steps,
        merl_tables=args.merl_tables,
        dry_run=args.dry_run,
    )
