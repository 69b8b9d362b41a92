"""Provenance of a result: command, commit, versions, hashes."""

import configparser
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

from cgdmer_jax import __version__
from cgdmer_jax.invocation import PROGRAM, by_program, main_module
from cgdmer_jax.short_paths import short_words
from cgdmer_jax.whole_file import write_json

PROJECT = "cgdmer_jax"
PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent  # where the package lies in one
SETUP = "setup.cfg"
CONFIGS = "configs/"
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set in a git hook, for another checkout
PACKAGES = ("numpy", "scipy", "scikit-learn", "jax", "jaxlib", "flax", "tensorstore", "tokenizers")


@functools.cache
def commit() -> str | None:
    """Commit of this project's checkout that the program runs from, with "+" where tracked files differ from it.

    None for an installed copy (`environment` has its version), also where it lies inside another project's checkout: a
    .venv there, or sources copied into it. Asked once a process, so that neither a later edit nor what the program
    itself writes changes the answer.
    """
    top = _git("rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != CHECKOUT.resolve() or not _is_ours(CHECKOUT / SETUP):
        return None
    if not _git("ls-files", "--error-unmatch", str(Path(__file__).relative_to(CHECKOUT)), SETUP):
        return None
    return _git("describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+") or None


def _is_ours(setup: Path) -> bool:
    """Whether a setup.cfg is this project's own."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(setup, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # another project's
        return False
    return parser.get("metadata", "name", fallback=None) == PROJECT


def _git(*words: str) -> str:
    """Answer of git in the checkout's folder; empty where there is no git or no checkout."""
    own = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    asked = ("git", "-C", str(CHECKOUT), *words)
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, check=False, env=own)
    except OSError:  # no git, or one that cannot be run: the field is null
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def environment() -> dict:
    """Versions of this project, of Python and of the packages that a figure may depend on, and the machine."""
    installed = {d.name.lower() for d in metadata.distributions() if d.name}
    return {
        PROJECT: __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "packages": {name: metadata.version(name) for name in PACKAGES if name in installed},
    }


@functools.cache
def code_sha256() -> str:
    """Hash of every source of the package, subfolders too, with its place: what older code cached is never read.

    The shipped configs are left out: what they say reaches a run as values, which are recorded and hashed as such, and
    a checkout has them beside the package.
    """
    sources = {file.relative_to(PACKAGE).as_posix(): file for file in PACKAGE.rglob("*.py")}
    made = hashlib.sha256()
    for name in sorted(name for name in sources if not name.startswith(CONFIGS)):
        made.update(f"{name}\0{hashlib.sha256(sources[name].read_bytes()).hexdigest()}\n".encode())
    return made.hexdigest()


def config_sha256(config: ConfigDict) -> str:
    return hashlib.sha256(config.to_json(sort_keys=True).encode()).hexdigest()


def n_cpus() -> int:
    return len(os.sched_getaffinity(0))


def command_line() -> str:
    """Command line of this process, whichever module asks; only the last part of a path outside this folder."""
    if by_program():
        return shlex.join([PROGRAM, *short_words(sys.argv[1:])])
    module = main_module()
    program = ["-m", module.removesuffix(".__main__")] if module else sys.argv[:1]
    return shlex.join(["python", *short_words([*program, *sys.argv[1:]])])


def write_figures(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"command": command_line(), "commit": commit(), "environment": environment(), "rows": rows})
