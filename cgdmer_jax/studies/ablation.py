"""A grid of short trainings, each scored on validation and compared with the reference row."""

from pathlib import Path

from cgdmer_jax import early_stop, path_arguments
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.studies.finished_runs import seeds_lost
from cgdmer_jax.studies.grid import check_makeable, choose, load_grid, own_references, plan
from cgdmer_jax.studies.many_runs import finished_files, open_runs, prepare, run_all
from cgdmer_jax.studies.study import Study, is_shown
from cgdmer_jax.studies.table import StudyTable, table_of, write_figure, write_table

# Choices are made on validation, always. Floors do not differ between rows: they are computed with the final run.
ABLATION = Study(
    "ablation",
    "validation",
    ("--features=main", "--parts=probe,zero_shot,retrieval", "--random_seeds=0"),
    lambda row, own: row["method"] == own and row["leads"] == "all" and is_shown(row),
)


def ablate(
    grid_file: str, store: str, *, only: str = "", workdir: Path, out: Path, figure: Path, dry_run: bool = False
) -> int:
    """Runs the rows of the grid that are not finished, and writes the table of all that are; the exit code.

    - `grid_file`: Python file with get_grid().
    - `store`: converted store, trained on and scored.
    - `only`: rows to run now, by comma; "" = all.
    - `workdir`: folder of the run folders.
    - `out`: folder of the JSON files, one a run, and of the table.
    - `figure`: where the figure is drawn.
    - `dry_run`: say what would run, and stop.

    Raises CgdmerError for a mistake in the grid before anything runs, and for runs that failed after all others.
    """
    grid = load_grid(grid_file)
    chosen = choose(grid, only)
    planned, corpus = plan(grid, store), open_corpus((store,))
    check_makeable(planned, corpus)
    to_run = open_runs([one for one in planned if one.row in chosen], ABLATION, corpus, out)
    print(f"{len(to_run)} of {len(planned)} runs of the grid are to be done now")
    for one in to_run:
        print(f"  {one.row} seed {one.seed}: {', '.join(f'{n}={v}' for n, v in one.overrides.items())}")
    if dry_run:
        return 0
    path_arguments.output_file(figure)
    prepare(workdir, out)
    failed = run_all(to_run, ABLATION, corpus, workdir, out)
    if failed is None:
        return early_stop.PREEMPTED
    table = table_of(finished_files(planned, ABLATION, corpus, out), grid["reference"], own_references(grid))
    problems = tell(table, out / "ablation-table.json", grid_file, figure)
    if failed:
        problems += [f"{len(failed)} runs failed ({', '.join(failed)}); look above, then run the same command"]
    if problems:
        raise CgdmerError("; ".join(problems))
    return 0


def tell(table: StudyTable, path: Path, grid: str, figure: Path) -> list[str]:
    """Writes table and figure of all finished runs, never over a table that knows more; returns what stopped it."""
    if lost := seeds_lost(path, table.rows):
        return [
            f"{path} is left as it is, since a new one would have fewer seeds ({', '.join(lost)}): their JSON is gone "
            "or of another config or store; run those rows again, give another --out, or take the old table away"
        ]
    if any(row["row"] == table.reference for row in table.rows):
        write_table(table, path, grid)
        write_figure(table.rows, table.reference, figure)
    else:
        print(f'no table yet: no run of the reference row "{table.reference}" is finished')
    return []
