"""What all commands share: one sentence on an error, the exit code, and --config with its overrides."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.training.run_folder import flat


def run(main: Callable[[list[str]], int | None]) -> None:
    """Exit codes: 0 done, 1 error (one sentence on stderr), 75 preempted and saved."""
    try:
        sys.exit(main(sys.argv[1:]) or 0)
    except CgdmerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def parser(doc: str, example: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with an example that works."""
    return argparse.ArgumentParser(
        description=doc,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def load_config(spec: str, overrides: list[str]) -> ConfigDict:
    """`configs/cgdmer.py:nano` and `--config.a.b=value` words -> a locked config, or one sentence."""
    file = spec.split(":")[0]
    if not Path(file).is_file():
        raise CgdmerError(f"--config={spec}: there is no file {file}; configs/ holds those of the project")
    for word in overrides:
        if not word.startswith("--config.") or "=" not in word:
            raise CgdmerError(f'argument "{word}" is not known; config fields are given as --config.a.b=value')
    plain = _parse(spec, [])
    known = flat(plain.to_dict())
    for word in overrides:
        field = word.removeprefix("--config.").split("=")[0]
        if field not in known:
            raise CgdmerError(f"the config has no field {field}.{suggest(field, known)}")
    return _parse(spec, overrides)


def _parse(spec: str, overrides: list[str]) -> ConfigDict:
    values = flags.FlagValues()
    holder = config_flags.DEFINE_config_file("config", flag_values=values, lock_config=True)
    try:
        values(["", f"--config={spec}", *overrides])
        return holder.value.copy_and_resolve_references()
    except (flags.Error, TypeError, ValueError) as error:
        raise CgdmerError(f"{' '.join([spec, *overrides])}: {str(error).splitlines()[0]}") from error
