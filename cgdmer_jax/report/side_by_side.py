"""First tables of several evaluations in one, as Markdown."""

from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.protocols import MACRO
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.report.first_table import first_table
from cgdmer_jax.report.tables import plain, text_cell


def side_by_side(files: Sequence[Path]) -> str:
    """The table of these results.json, or files of `publish`; refuses those of several splits or collections."""
    return markdown([read_results(file)["rows"] for file in files])


def markdown(evaluations: Sequence[list[dict]]) -> str:
    """Macro AUROC, a column a task: by protocol, then by evaluation, then in the order given."""
    check_comparable(evaluations)
    tables = [(rows[0]["run"], *first_table(rows)) for rows in evaluations]
    tasks = list(dict.fromkeys(task for _, of_run, _ in tables for task in of_run))
    lines = [(*name, run, of_task) for run, _, of_run in tables for name, of_task in of_run]
    lines.sort(key=lambda line: (list(MACRO).index(line[0]), line[1] != "probe"))
    cells = [["protocol", "evaluation", "run", "features", *tasks], ["---"] * (4 + len(tasks))]
    cells += [
        [protocol, plain(evaluation), run, name, *(text_cell(of_task.get(task)) for task in tasks)]
        for protocol, evaluation, name, run, of_task in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def check_comparable(evaluations: Sequence[list[dict]]) -> None:
    """One split of one collection: the rest of a table would be no comparison."""
    scored = {(row["store"], row["split"]) for rows in evaluations for row in rows if row["n"]}
    if len(scored) != 1:
        said = ", ".join(sorted(f"{store} {split}" for store, split in scored)) or "nothing"
        raise CgdmerError(f"the results are of {said}; give those of one split of one collection")
