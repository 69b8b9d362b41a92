"""How a command is started and named: `python -m experiments.NAME` in a checkout, `cgdmer NAME` once installed."""

import functools
import re
import sys
from pathlib import Path

PROGRAM = "cgdmer"
PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent  # where the package lies in one
_CONFIG = re.compile(r"(--(?:config|grid)=| )configs/([\w/]+)\.py")


def by_program() -> bool:
    """Whether this process was started as `cgdmer NAME` or `python -m cgdmer_jax NAME`."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    return program == PROGRAM or (main_module() or "").split(".")[0] == PACKAGE.name


def main_module() -> str | None:
    """Name of the module that this process was started with; None of a file, a notebook or a debugger."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec and spec.name


def as_started(text: str) -> str:
    """The text with commands and shipped configs written as they can be given here.

    An installed package has no `experiments`, and a notebook that uses one was not started as `cgdmer`.
    """
    if not by_program() and (CHECKOUT / "experiments").is_dir():
        return text
    return _CONFIG.sub(_by_name, _commands().sub(rf"{PROGRAM} \1", text))


def module_words(name: str) -> list[str]:
    """Words after `python` that start a command from any folder, whatever lies in it."""
    return ["-m", "cgdmer_jax", name]


@functools.cache
def _commands() -> re.Pattern:
    """`python -m experiments.NAME` and `experiments.NAME` of the commands that there are, and no path of a user."""
    names = "|".join(sorted(file.stem for file in (PACKAGE / "commands").glob("[a-z]*.py")))
    return re.compile(rf"(?:python -m )?(?<![\w./-])experiments\.({names})\b")


def _by_name(found: re.Match) -> str:
    """`--config=configs/cgdmer.py` -> `--config=cgdmer` where the package ships that config."""
    shipped = (PACKAGE / "configs" / f"{found[2]}.py").is_file()
    return f"{found[1]}{found[2]}" if shipped else found[0]
