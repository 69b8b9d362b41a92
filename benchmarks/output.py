"""What every benchmark writes: the command, commit and environment beside its rows."""

import json
import shlex
import sys
from pathlib import Path

from cgdmer_jax.evaluation.results import commit, environment


def write_rows(path: Path, module: str, rows: list[dict]) -> None:
    command = shlex.join(["python", "-m", module, *sys.argv[1:]])
    document = {"command": command, "commit": commit(), "environment": environment(), "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
