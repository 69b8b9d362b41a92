"""Provenance of a result: command, commit, versions, hashes."""

import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ml_collections import ConfigDict

from cgdmer_jax.invocation import PROGRAM, by_program
from cgdmer_jax.short_paths import short_words
from cgdmer_jax.whole_file import write_json

ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set in a git hook, for another checkout
PACKAGES = ("numpy", "scipy", "scikit-learn", "jax", "jaxlib", "flax", "tensorstore", "tokenizers")


def commit() -> str | None:
    """Commit of the checkout that this file belongs to, with "+" where files differ from it; None outside of one.

    A copy installed below somebody else's checkout (a .venv there) is not tracked in it: its commit says nothing.
    """
    if not _git("ls-files", "--error-unmatch", Path(__file__).name):
        return None
    return _git("describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+") or None


def _git(*words: str) -> str:
    """Answer of git in this file's folder; empty where there is no git, no checkout, or one of somebody else."""
    own = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    asked = ("git", "-C", str(Path(__file__).parent), *words)
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, check=False, env=own)
    except OSError:  # no git, or one that cannot be run: the field is null
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def environment() -> dict:
    """Python, machine and package versions that a figure may depend on."""
    installed = {d.name.lower() for d in metadata.distributions() if d.name}
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "packages": {name: metadata.version(name) for name in PACKAGES if name in installed},
    }


@functools.cache
def code_sha256() -> str:
    """Hash of every source of the package, subfolders too: what older code cached is never read."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sources)).hexdigest()


def config_sha256(config: ConfigDict) -> str:
    return hashlib.sha256(config.to_json(sort_keys=True).encode()).hexdigest()


def n_cpus() -> int:
    return len(os.sched_getaffinity(0))


def command_line() -> str:
    """Command line of this process, whichever module asks; only the last part of a path outside this folder."""
    spec = sys.modules["__main__"].__spec__  # None when a file was named instead of a module
    if by_program():
        return shlex.join([PROGRAM, *short_words(sys.argv[1:])])
    program = ["-m", spec.name.removesuffix(".__main__")] if spec else sys.argv[:1]
    return shlex.join(["python", *short_words([*program, *sys.argv[1:]])])


def write_figures(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"command": command_line(), "commit": commit(), "environment": environment(), "rows": rows})
