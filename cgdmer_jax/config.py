"""Config files and their overrides, and dataclasses made from plain values."""

import dataclasses
import importlib.util
import types
import typing
from collections.abc import Mapping
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from cgdmer_jax import path_arguments
from cgdmer_jax.errors import CgdmerError, suggest

PLAIN = {int: int, float: int | float, bool: bool, str: str}  # types of fields, and what a value may be


def from_fields(kind: type, values: object):
    """A dataclass from a dict of exactly its fields, nested dataclasses and tuples included."""
    hints = typing.get_type_hints(kind)
    if not isinstance(values, Mapping):
        raise CgdmerError(f"config: {values!r:.80} stands where the fields of {kind.__name__} belong")
    if values.keys() != hints.keys():
        unknown = sorted(values.keys() ^ hints.keys())[0]
        raise CgdmerError(f"config: {kind.__name__} and the config differ in {unknown}.{suggest(unknown, hints)}")
    made = {}
    for name, value in values.items():
        if classes := [member for member in _members(hints[name]) if dataclasses.is_dataclass(member)]:
            value = from_fields(_fitting(classes, value), value)
        elif hints[name] in PLAIN and (
            not isinstance(value, PLAIN[hints[name]]) or isinstance(value, bool) != (hints[name] is bool)
        ):
            raise CgdmerError(f"config: {name} of {kind.__name__} is {value!r:.80}, expected {hints[name].__name__}")
        elif isinstance(value, list | tuple):
            value = tuple(tuple(v) if isinstance(v, list | tuple) else v for v in value)
        made[name] = value
    return kind(**made)


def _members(hint) -> tuple:
    """Members of the union `A | B`; a plain type is its own only member."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _fitting(classes: list[type], values: object) -> type:
    """The one of exactly these fields; else the one that has most of them, whose error tells what is wrong."""
    if not isinstance(values, Mapping):
        return classes[0]
    return max(classes, key=lambda one: -len(values.keys() ^ typing.get_type_hints(one).keys()))


def flat(config: dict, prefix: str = "") -> dict[str, object]:
    """{'a': {'b': 1}} -> {'a.b': 1}."""
    out = {}
    for name, value in config.items():
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{name}.")
        else:
            out[prefix + name] = list(value) if isinstance(value, tuple) else value
    return out


def load_config(spec: str, overrides: list[str]) -> ConfigDict:
    """`configs/cgdmer.py:nano` and `--config.a.b=value` words -> a locked config, or one sentence."""
    spec = _shipped_spec(spec)
    file = spec.split(":")[0]
    if not Path(file).is_file():
        known = ", ".join(sorted(path.stem for path in shipped_folder().glob("[a-z]*.py")))
        raise CgdmerError(f"--config={spec}: there is no file {file}; give one, or a config of the package: {known}")
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


def shipped_folder() -> Path:
    """Folder of the configs that come with the package: `configs/` beside it in a checkout, inside it if installed."""
    inside = Path(__file__).with_name("configs")
    return inside if inside.is_dir() else Path(__file__).parents[1] / "configs"


def shipped(name: str) -> types.ModuleType:
    """A config file that comes with the package, as a module."""
    spec = importlib.util.spec_from_file_location(f"configs.{name}", shipped_folder() / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _shipped_spec(spec: str) -> str:
    """`cgdmer:nano` -> the file of that name in the shipped folder; a path, and a name that is none, as they are."""
    name, colon, size = spec.partition(":")
    file = shipped_folder() / f"{name}.py"
    return f"{file}{colon}{size}" if name.isidentifier() and file.is_file() else spec


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
