"""Config files and their overrides, and dataclasses made from plain values."""

import dataclasses
import difflib
import importlib.machinery
import importlib.util
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from cgdmer_jax import path_arguments
from cgdmer_jax.errors import CgdmerError, reason_of, suggest
from cgdmer_jax.fields import MEANING, fitting, from_fields, hints_of, members_of, one_of, setting, values_of
from cgdmer_jax.renamed_fields import OLD, RENAMED, tell

__all__ = ["from_fields", "one_of", "setting"]  # of `fields`: where a config of one's own imports them from


class Field(NamedTuple):
    """One field of a config: its name as in `--config.a.b=value`, a value, its meaning, and which it may have."""

    name: str
    value: object
    meaning: str
    values: str = ""


def defaults(kind: type) -> dict[str, Any]:
    """A config dataclass's defaults as plain values, nested ones as dicts: what a config file starts from.

    No object is made: a default may be one that the config file must fill in.
    """
    made = {}
    for field in dataclasses.fields(kind):
        value = field.default_factory() if callable(field.default_factory) else field.default
        made[field.name] = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
    return made


def explained(kind: type, values: Mapping[str, object], prefix: str = "") -> Iterator[Field]:
    """The fields of these values with their meaning, in the dataclass's order; then those that it does not know."""
    hints = hints_of(kind)
    for field in dataclasses.fields(kind):
        if field.name not in values:
            continue
        name, value = prefix + field.name, values[field.name]
        if classes := [member for member in members_of(hints[field.name]) if dataclasses.is_dataclass(member)]:
            yield from explained(fitting(classes, value), value, f"{name}.")
        else:
            yield Field(name, value, field.metadata[MEANING], str(values_of(field)))
    for name in sorted(values.keys() - hints.keys()):
        yield Field(prefix + name, values[name], "no such field is known")


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
    """A locked config (ml_collections.ConfigDict), as `pretrain` takes it.

    `spec`: FILE:SIZE such as "configs/cgdmer.py:nano", or NAME:SIZE of a config that comes with the package.
    `overrides`: fields to change, each "--config.a.b=value"; docs/config_fields.md lists all. Raises CgdmerError where
    there is no such file, size or field, and where a value is of another type than the field's own.
    """
    spec = _shipped_spec(spec)
    file = spec.split(":")[0]
    if not Path(file).is_file():
        known = ", ".join(sorted(path.stem for path in shipped_folder().glob("[a-z]*.py")))
        raise CgdmerError(f"--config={spec}: there is no file {file}; give one, or a config of the package: {known}")
    overrides = [path_arguments.names(word) for word in overrides]
    for word in overrides:
        if not word.startswith("--config.") or "=" not in word:
            raise CgdmerError(f'argument "{word}" is not known; config fields are given as --config.a.b=value')
    own = _parse(spec, [])
    plain = flat(own.copy_and_resolve_references().to_dict())
    for old in RENAMED.keys() & plain.keys():
        tell(old, f"{file}: ")
    overrides = [_listed(_as_in_file(word, plain), plain) for word in overrides]
    for word in overrides:
        field = word.removeprefix("--config.").split("=")[0]
        if field not in plain:
            raise CgdmerError(f"the config has no field {field}.{suggest_field(field, plain)}")
    config = _parse(spec, overrides)
    given = flat(config.copy_and_resolve_references().to_dict())
    for word in overrides:
        field = word.removeprefix("--config.").split("=")[0]
        if not _same_kind(plain[field], given[field]):
            raise _other_type(f"{word} is read as {given[field]} and", plain[field])
    return _with_new_names(config).copy_and_resolve_references()


def _as_in_file(word: str, plain: Mapping[str, object]) -> str:
    """`--config.a.b=value` under the name that the config file has; says where the given one is old."""
    field, equals, value = word.removeprefix("--config.").partition("=")
    if field in RENAMED:
        tell(field)
    field = RENAMED.get(field, field)
    return f"--config.{OLD[field] if OLD.get(field) in plain else field}{equals}{value}"


def _listed(word: str, plain: Mapping[str, object]) -> str:
    """`--config.a.b=text` of a field that lists names, as a list of this one: a path may hold spaces and commas."""
    field, _, text = word.removeprefix("--config.").partition("=")
    own = plain.get(field)
    of_names = isinstance(own, list) and all(isinstance(one, str) for one in own)
    if not of_names or text.startswith(("(", "[", "'", '"')):
        return word
    return f"--config.{field}={(text,) if text else ()!r}"


def _with_new_names(config: ConfigDict) -> ConfigDict:
    """The config of a file that has old names; what it sets under an old one counts, references included."""
    plain = flat(config.copy_and_resolve_references().to_dict())
    with config.unlocked():
        for old in [name for name in RENAMED if name in plain]:
            group, _, name = old.rpartition(".")
            value = config[group][name]
            del config[group][name]
            config[group][RENAMED[old].rpartition(".")[2]] = value
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


def user_module(file: Path, option: str) -> types.ModuleType:
    """A user's Python file as a module, whatever its ending; one that does not run is told with its own error."""
    loader = importlib.machinery.SourceFileLoader(file.stem, str(file))
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(file.stem, file, loader=loader))
    try:
        loader.exec_module(module)
    except CgdmerError:
        raise
    except Exception as error:  # it is a program
        raise _not_running(f"--{option}={file}", error) from error
    return module


def _not_running(what: str, error: Exception) -> CgdmerError:
    told = f"{type(error).__name__}: {reason_of(error)}"
    return CgdmerError(f"{what} is no Python file that runs ({told}); correct the file, or name another one")


def shipped_file(name: str) -> Path:
    """The file of that name; where there is none, and for a bare `cgdmer` or `ablations/cgdmer`, the package's own.

    `configs/cgdmer.py` is found in any folder: examples work where the package is installed too.
    """
    bare = re.fullmatch(r"(?:ablations/)?\w+", name)
    of_checkout = re.fullmatch(r"configs/((?:ablations/)?\w+)\.py", name)
    if not bare and (not of_checkout or Path(name).is_file()):
        return Path(name)
    own = shipped_folder() / f"{of_checkout[1] if of_checkout else name}.py"
    return own if own.is_file() else Path(name)


def _shipped_spec(spec: str) -> str:
    """`cgdmer:nano` -> the file of that name in the shipped folder, with its size; a path as it is."""
    name, colon, size = spec.partition(":")
    return f"{shipped_file(name)}{colon}{size}"


def suggest_field(field: str, known: dict[str, object]) -> str:
    """The field of that name in another group or of these initials (`lr`), else the nearest one of its own group."""
    group, _, own = field.rpartition(".")
    last = {name: name.split(".")[-1] for name in known}
    meant = [name for name, one in last.items() if one == own]
    meant = meant or [name for name, one in last.items() if "".join(word[:1] for word in one.split("_")) == own]
    if len(meant) == 1:
        return f' Did you mean "{meant[0]}"?'
    of_group = {one: name for name, one in last.items() if group and name.rpartition(".")[0] == group}
    near = difflib.get_close_matches(own, of_group, n=1, cutoff=0.5)
    if of_group:
        return f' Did you mean "{of_group[near[0]]}"?' if near else f" Known: {', '.join(sorted(of_group.values()))}."
    return suggest(field, known)


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
        return holder.value
    except (flags.Error, TypeError, ValueError) as error:
        # An error of the config file itself comes as a traceback, whose last line says what is wrong.
        last = str(error).strip().splitlines()[-1].removeprefix("ValueError: ").removeprefix("flag ")
        for word in overrides:
            if last.startswith(f"{word}: "):
                field = word.removeprefix("--config.").split("=")[0]
                own = _parse(spec, []).copy_and_resolve_references()
                raise _other_type(word, flat(own.to_dict())[field]) from error
        raise CgdmerError(last) from error
    except Exception as error:  # a config file is a program
        raise _not_running(f"--config={spec}", error) from error
