"""Names of a started command: `python -m experiments.NAME` in a checkout, `cgdmer NAME` once installed."""

import re
import sys
from pathlib import Path

PROGRAM = "cgdmer"
_COMMAND = re.compile(r"(?:python -m )?\bexperiments\.(?=\w)")
_CONFIG = re.compile(r"--config=configs/(\w+)\.py")


def by_program() -> bool:
    """Whether this process was started as `cgdmer NAME` or `python -m cgdmer_jax NAME`."""
    main = sys.modules["__main__"].__spec__  # None when a file was named instead of a module
    return Path(sys.argv[0]).name == PROGRAM or (main is not None and main.name.startswith("cgdmer_jax"))


def as_started(text: str) -> str:
    """The text with commands and configs written the way this process was started."""
    if not by_program():
        return text
    return _CONFIG.sub(rf"--config={PROGRAM}:\1", _COMMAND.sub(f"{PROGRAM} ", text))


def module_words(name: str) -> list[str]:
    """Words after `python` that start a command from here: its module in a checkout, else the installed package."""
    checkout = Path("experiments", f"{name}.py").is_file()
    return ["-m", f"experiments.{name}"] if checkout else ["-m", "cgdmer_jax", name]
