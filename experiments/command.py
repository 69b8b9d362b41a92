"""What all commands share: one sentence on an error, the exit code, and --config with its overrides."""

import argparse
import io
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from absl import flags
from ml_collections import ConfigDict, config_flags

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.training.run_folder import flat
from experiments import path_arguments
from experiments.short_paths import short_words


def run(main: Callable[[list[str]], int | None], *, resumes: bool = False) -> None:
    """Exit codes: 0 done, 1 error (one sentence on stderr), 75 preempted and saved.

    `resumes`: given again after an interruption, the command goes on from what it had saved.
    """
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a file's name may be no text, and no name shall end the work on the others
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    again = "the same command goes on from what was saved" if resumes else "the same command begins anew"
    try:
        sys.exit(main(sys.argv[1:]) or 0)
    except CgdmerError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:  # a full disk, a folder without permission
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}; after that is put right, {again}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"error: interrupted; {again}", file=sys.stderr)
    sys.exit(1)


def command_line() -> str:
    """What this process was started with, whichever module asks; of paths outside, the last part alone."""
    spec = sys.modules["__main__"].__spec__  # None when a file was named instead of a module
    program = ["-m", spec.name.removesuffix(".__main__")] if spec else sys.argv[:1]
    return shlex.join(["python", *short_words([*program, *sys.argv[1:]])])


def parser(doc: str, example: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with an example, `python -m MODULE ...`, that works."""
    return _Parser(
        prog=" ".join(example.split()[:3]),
        description=doc,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence and exit code 1, as for any other mistake, where argparse prints the usage and ends with 2."""
        raise CgdmerError(f"{message}; {self.prog} --help shows all arguments and an example")


def load_config(spec: str, overrides: list[str]) -> ConfigDict:
    """`configs/cgdmer.py:nano` and `--config.a.b=value` words -> a locked config, or one sentence."""
    file = spec.split(":")[0]
    if not Path(file).is_file():
        raise CgdmerError(f"--config={spec}: there is no file {file}; configs/ holds those of the project")
    overrides = [path_arguments.names(word) for word in overrides]
    for word in overrides:
        if not word.startswith("--config.") or "=" not in word:
            raise CgdmerError(f'argument "{word}" is not known; config fields are given as --config.a.b=value')
    plain = flat(_parse(spec, []).to_dict())
    for word in overrides:
        field = word.removeprefix("--config.").split("=")[0]
        if field not in plain:
            raise CgdmerError(f"the config has no field {field}.{suggest_field(field, plain)}")
    config = _parse(spec, overrides)
    given = flat(config.to_dict())
    for word in overrides:
        field = word.removeprefix("--config.").split("=")[0]
        if not _same_kind(plain[field], given[field]):
            raise _other_type(f"{word} is read as {given[field]} and", plain[field])
    return config


def suggest_field(field: str, known: dict[str, object]) -> str:
    """The field of that name in another group, else the nearest one."""
    moved = [name for name in known if name.split(".")[-1] == field.split(".")[-1]]
    return f' Did you mean "{moved[0]}"?' if len(moved) == 1 else suggest(field, known)


def _other_type(word: str, own: object) -> CgdmerError:
    return CgdmerError(
        f"{word} is of another type than the config's own {own} ({type(own).__name__}); give one like it"
    )


def _same_kind(known: object, given: object) -> bool:
    """Equal types, element by element: absl takes any value as an element of a tuple."""
    if isinstance(known, list | tuple) and isinstance(given, list | tuple):
        return all(any(_same_kind(k, g) for k in known or ("",)) for g in given)  # an empty one is of names
    return isinstance(given, type(known)) or (isinstance(known, float) and isinstance(given, int))


def _parse(spec: str, overrides: list[str]) -> ConfigDict:
    values = flags.FlagValues()
    words = ["", f"--config={spec}", *overrides]
    holder = config_flags.DEFINE_config_file("config", flag_values=values, lock_config=True, sys_argv=words)
    try:
        values(words)
        return holder.value.copy_and_resolve_references()
    except (flags.Error, TypeError, ValueError) as error:
        # An error of the config file itself comes as a traceback, whose last line says what is wrong.
        last = str(error).strip().splitlines()[-1].removeprefix("ValueError: ").removeprefix("flag ")
        for word in overrides:
            if last.startswith(f"{word}: "):
                field = word.removeprefix("--config.").split("=")[0]
                raise _other_type(word, flat(_parse(spec, []).to_dict())[field]) from error
        raise CgdmerError(last) from error
