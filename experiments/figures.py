"""What a command measured, as JSON that a README may cite: its command, commit and environment beside the rows."""

from pathlib import Path

from cgdmer_jax.evaluation.results import commit, environment
from cgdmer_jax.training.run_folder import write_json
from experiments.command import command_line


def write_figures(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"command": command_line(), "commit": commit(), "environment": environment(), "rows": rows})
