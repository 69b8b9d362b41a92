"""Starts a command: finds its module, prints one sentence on an error, sets the exit code."""

import argparse
import ast
import gc
import importlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cgdmer_jax import __version__, early_stop, huge_pages
from cgdmer_jax.errors import CgdmerError, brief, suggest, visible
from cgdmer_jax.invocation import PROGRAM, as_started

COMMANDS = Path(__file__).with_name("commands")
# Run again after an interruption, these continue from what they had saved; the others start over. `embed` and `predict`
# keep their finished parts, `fit` its store, `delineate` its folds, `evaluate` the features it has cached and
# `extract_entities` the answers of a model, which is nothing that a signal in its first seconds could promise.
RESUMING = (*early_stop.RESUMING, "delineate", "embed", "evaluate", "extract_entities", "fit", "predict")
HELP = {"-h", "--help", "--config_help"}  # words that only ask for text
BROKEN_PIPE = 141  # exit code of a program whose reader has gone, as a shell gives it (128 + SIGPIPE)


def main() -> None:
    """The program `cgdmer`: `cgdmer NAME ...` runs cgdmer_jax/commands/NAME.py, `cgdmer --help` lists the names."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        run(_print_commands, ["--help"])
    if words[0] == "--version":
        print(f"{PROGRAM} {__version__}")
        sys.exit(0)
    name = words[0]
    if name not in command_names():
        near = suggest(name, command_names())
        print(
            f'error: there is no command "{brief(visible(name))}".{near} `{PROGRAM} --help` lists them', file=sys.stderr
        )
        sys.exit(1)
    huge_pages.start_again_with_them()
    early_stop.listen_in([f"experiments.{name}"])
    run_command(name, words[1:])


def _print_commands(_: list[str]) -> None:
    print(f"usage: {PROGRAM} COMMAND ...; `{PROGRAM} COMMAND --help` shows its arguments and an example\n")
    for name in command_names():
        print(as_started(f"  {name:14} {_summary(name)}"))


def command_names() -> list[str]:
    """Names of the commands that the package has."""
    return sorted(file.stem for file in COMMANDS.glob("*.py") if file.stem != "__init__")


def _summary(name: str) -> str:
    """First sentence of a command's docstring, read without importing what the command needs."""
    doc = ast.get_docstring(ast.parse((COMMANDS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(doc.split("\n\n")[0].split())


def run_command(name: str, words: list[str] | None = None) -> None:
    """Runs a command of the package; `words` are its arguments, by default those of this process."""

    # Else XLA asks users to file a bug once a step takes two minutes to compile. What fails is raised all the same.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def main(words: list[str]) -> int | None:
        # Imported where an interruption has an answer: JAX alone takes seconds.
        try:
            command = importlib.import_module(f"cgdmer_jax.commands.{name}")
        except ModuleNotFoundError as error:
            if str(error.name).split(".")[0] == __package__:
                raise
            raise CgdmerError(
                f"{sys.executable} has no package {error.name}, which this needs; start it with the Python that "
                "cgdmer_jax was installed into (source .venv/bin/activate)"
            ) from error
        return command.main(words)

    run(main, words, resumes=name in RESUMING)


def run(main: Callable[[list[str]], int | None], words: list[str] | None = None, *, resumes: bool = False) -> None:
    """Exit codes: 0 done, 1 error (one sentence on stderr), 75 preempted and saved, 141 the output's reader has gone.

    `resumes`: given again after an interruption, the command continues from what it had saved.
    """
    # JAX makes objects by the million while it traces: to look for garbage among them more often took a third of that.
    gc.set_threshold(50_000, 10, 10)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name may not be text, and must not end the work on others. Lines reach a log file as they come.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    words = sys.argv[1:] if words is None else words
    again = "the same command continues from what was saved" if resumes else "the same command starts over"
    try:
        sys.exit(main(words) or 0)
    except CgdmerError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:  # `| head` has read enough
        with open(os.devnull, "w") as nowhere:  # where Python writes what is left when it ends
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not HELP & set(words):
            print(f"error: nothing reads the output any more (broken pipe); {again}", file=sys.stderr)
        sys.exit(BROKEN_PIPE)
    except OSError as error:  # a full disk, a folder without permission
        where = f"{error.filename}: " if error.filename else ""
        told = brief(visible(f"{where}{error.strerror or error}"))
        print(f"error: {told}; after that is put right, {again}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"error: interrupted; {again}", file=sys.stderr)
    sys.exit(1)


def parser(doc: str, example: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with an example, `python -m MODULE ...`, that works."""
    return _Parser(
        prog=as_started(" ".join(example.split()[:3])),
        description=doc,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


class _Parser(argparse.ArgumentParser):
    def format_help(self) -> str:
        return as_started(super().format_help())

    def error(self, message: str) -> NoReturn:
        """One sentence and exit code 1, as for any other mistake, where argparse prints the usage and ends with 2."""
        raise CgdmerError(f"{message}; {self.prog} --help shows all arguments and an example")
