"""Runs a named grid of short trainings, scores each on validation, and compares them with the reference row.

The same command goes on where it was stopped: a (row, seed) whose JSON has its config is not run again. The table is of
all finished rows, whichever were run now.
"""

from cgdmer_jax import cli, early_stop, path_arguments
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluation_folders import check_writable
from cgdmer_jax.studies.finished_runs import differs, json_path
from cgdmer_jax.studies.grid import check_makeable, choose, load_grid, plan
from cgdmer_jax.studies.one_run import is_open, run_one, tell

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
    grid = load_grid(args.grid)
    chosen = choose(grid, args.only)
    planned, corpus = plan(grid, args.store), open_corpus((args.store,))
    check_makeable(planned, corpus)
    workdir, out = args.workdir, args.out
    to_run = [one for one in planned if one.row in chosen and is_open(one, out)]
    print(f"{len(to_run)} of {len(planned)} runs of the grid are to be done now")
    for one in to_run:
        print(f"  {one.row} seed {one.seed}: {', '.join(f'{n}={v}' for n, v in one.overrides.items())}")
    if args.dry_run:
        return 0
    check_writable(out)
    path_arguments.output_folder(workdir)
    path_arguments.output_file(args.figure)
    early_stop.from_now_on("stopped between two runs; the same command continues with those not finished")
    failed = []
    for one in to_run:
        try:
            code = run_one(one, corpus, workdir, out)
        except CgdmerError as error:
            print(f"{one.row} seed {one.seed}: {error}")
            code = 1
        if code == early_stop.PREEMPTED:
            return early_stop.PREEMPTED
        if code != 0:
            failed.append(f"{one.row} seed {one.seed}")
    finished = [path for one in planned if not differs(one, path := json_path(one, out))]
    problems = tell(finished, grid["reference"], out / "ablation-table.json", args.grid, args.figure)
    if failed:
        problems += [f"{len(failed)} runs failed ({', '.join(failed)}); look above, then run the same command"]
    if problems:
        raise CgdmerError("; ".join(problems))
    return 0
