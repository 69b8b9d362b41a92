"""Declared fields of dataclasses: default, meaning and values of each, checked at this one place.

A config of the command line, of a run folder or of a model folder is such a dataclass; so is a manifest.
"""

import dataclasses
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from cgdmer_jax.errors import CgdmerError, suggest

MEANING, VALUES, YOUNGER = "meaning", "values", "younger"  # keys in the metadata of a dataclass field
REQUIRED = dataclasses.MISSING  # in place of a default
_NAMES = {bool: "true or false", str: "a text", dict: "named values (an object)", types.NoneType: "null"}


class Values(NamedTuple):
    """The values of a field beyond its type; those of a tuple hold for each of its elements."""

    least: float | int | None = None
    most: float | int | None = None
    above: float | int | None = None
    below: float | int | None = None
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In words: "from 1 to 1,024", "above 0, below 1", "`a` or `b`"; empty where any value will do."""
        if self.choices:
            return one_of(self.choices)
        if self.least is not None and self.most is not None:
            return f"from {self.least:,} to {self.most:,}"
        parts = {"above": self.above, "from": self.least, "below": self.below, "at most": self.most}
        return ", ".join(f"{word} {bound:,}" for word, bound in parts.items() if bound is not None)

    def hold(self, value: object) -> bool:
        """Whether that number is one of them."""
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


ANY = Values()


def setting(
    default: object,
    meaning: str,
    *,
    least: float | int | None = None,
    most: float | int | None = None,
    above: float | int | None = None,
    below: float | int | None = None,
    choices: Iterable[str] = (),
    younger: bool = False,
) -> Any:
    """A field of a dataclass: its default, one line that says what it is, and the values that it may have.

    What was written before there was a `younger` field lacks it, and is read with its default.
    """
    metadata = {MEANING: meaning, VALUES: Values(least, most, above, below, tuple(choices)), YOUNGER: younger}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class Checked:
    """Base class of a dataclass of such fields: each object that is made of it has declared values alone.

    A check of several fields together comes in a `__post_init__` of its own, after that of this class; a class of
    which another one has a field says its `fault` instead, and the other one names the field.
    """

    where = ""  # what its fields are called in an error, as "config.run"

    def __post_init__(self):
        kind = type(self)
        for name in hints_of(kind):
            value, full = getattr(self, name), called(kind.where or kind.__name__, name)
            check_field(kind, name, value, full)
            if isinstance(value, Checked) and (fault := value.fault()):
                raise CgdmerError(f"{full} {fault}")

    def fault(self) -> str | None:
        """The fault of its fields together: the rest of a sentence that begins with the name of the field it is in."""
        return None


def called(where: str, name: str) -> str:
    """The field of that place: "config.run.mesh", and of a file "config.json: mesh"."""
    return f"{where}{name}" if where.endswith(": ") else f"{where}.{name}"


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """Type of each field."""
    return typing.get_type_hints(kind)


def values_of(field: dataclasses.Field) -> Values:
    """Declared values of a field; any where none are declared."""
    return field.metadata.get(VALUES, ANY)


def one_of(names: Iterable[str]) -> str:
    """The values that a field may have, as part of its meaning: "`a`, `b` or `c`"."""
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} or {last}" if first else last


def check_field(kind: type, name: str, value: object, full: str, *, remedy: str = "") -> None:
    """Raises where this is no value of that field of the dataclass; `full` is the field's name in the error.

    `remedy` ends the error where the value was not given but read.
    """
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    hint, values = hints_of(kind)[name], values_of(field)
    if _fits(value, hint, values):
        return
    shown = f'"{value:.80}"' if isinstance(value, str) and values.choices else f"{value!r:.80}"
    if isinstance(value, str) and values.choices:
        raise CgdmerError(f"{full} is {shown}{f'; {remedy}' if remedy else ''}.{suggest(value, values.choices)}")
    wanted = wanted_of(hint, values)
    raise CgdmerError(f"{full} is {shown}" + (f", expected {wanted}; {remedy}" if remedy else f"; give {wanted}"))


def wanted_of(hint: Any, values: Values) -> str:
    """The values that belong there, in words: "a whole number from 1 to 64"."""
    if dataclasses.is_dataclass(hint):
        return f"the fields of {hint.__name__}"
    if isinstance(hint, types.UnionType):
        return " or ".join(dict.fromkeys(wanted_of(one, values) for one in _alternatives(hint)))
    if typing.get_origin(hint) is tuple:
        element = typing.get_args(hint)
        if len(element) == 2 and element[1] is Ellipsis:
            return f"a list, each entry {wanted_of(element[0], values)}"
        return f"a list of {len(element)}: {', '.join(wanted_of(one, values) for one in element)}"
    if hint is str and values.choices:
        return str(values)
    if hint in (int, float):
        alone = values.most is None and values.below is None and values.least is not None
        words = f"of at least {values.least:,}" if alone else str(values)
        return f"{'a whole number' if hint is int else 'a number'} {words}".strip()
    return _NAMES.get(typing.get_origin(hint) or hint, "another value")


def _fits(value: object, hint: Any, values: Values) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, one, values) for one in _alternatives(hint))
    if dataclasses.is_dataclass(hint):
        return isinstance(value, hint)
    if typing.get_origin(hint) is tuple:
        element = typing.get_args(hint)
        if not isinstance(value, list | tuple):
            return False
        if len(element) == 2 and element[1] is Ellipsis:
            if element[0] is str and not values.choices:  # hashes of a million recordings
                return all(isinstance(one, str) for one in value)
            return all(_fits(one, element[0], values) for one in value)
        return len(value) == len(element) and all(map(_fits, value, element, [values] * len(element)))
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and values.hold(value)
    if hint is float:
        return is_number(value) and values.hold(value)
    if hint is str:
        return isinstance(value, str) and (not values.choices or value in values.choices)
    return isinstance(value, typing.get_origin(hint) or hint)


def _alternatives(hint: Any) -> list[Any]:
    """Members of a union; of `float | int` the first, for a whole number is a number, and bounded as one."""
    members = typing.get_args(hint)
    return [one for one in members if one is not int or float not in members]


def is_number(value: object) -> bool:
    """Whether one can calculate with it: neither NaN nor infinite, nor an int beyond all floats; True is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def check_names(kind: type, values: object, where: str, *, remedy: str = "") -> None:
    """Raises unless these are values of exactly the fields of the dataclass; younger ones may be absent."""
    end = f"; {remedy}" if remedy else ""
    if not isinstance(values, Mapping):
        raise CgdmerError(f"{where.removesuffix(': ')} is {values!r:.80}, expected the fields of {kind.__name__}{end}")
    hints = hints_of(kind)
    for name in values.keys() - hints.keys():
        raise CgdmerError(f"{where.removesuffix(': ')} has no field {name}{end}.{suggest(str(name), hints)}")
    younger = {field.name for field in dataclasses.fields(kind) if field.metadata.get(YOUNGER)}
    for name in sorted(hints.keys() - values.keys() - younger):
        told = remedy or "docs/config_fields.md lists each field with its default"
        raise CgdmerError(f"{called(where, name)} is missing; {told}")


def check_values(kind: type, values: object, where: str, *, remedy: str = "") -> None:
    """Raises unless these are exactly the fields of the dataclass, each with a value of its own; makes no object.

    `where` stands before a field's name in the error, `remedy` behind it where the values were read and not given.
    """
    check_names(kind, values, where, remedy=remedy)
    for name, value in values.items():
        if classes := _classes(hints_of(kind)[name]):
            check_values(fitting(classes, value), value, called(where, name), remedy=remedy)
        else:
            check_field(kind, name, value, called(where, name), remedy=remedy)


def from_fields(kind: type, values: object, where: str = "", *, remedy: str = ""):
    """A dataclass from a dict of exactly its fields, nested dataclasses and tuples included; words as `check_values`.

    A class that is `Checked` knows how its fields are called; `where` is said of a file, or inside of another class.
    """
    where = where or getattr(kind, "where", "") or kind.__name__
    check_values(kind, values, where, remedy=remedy)
    try:
        return _made(kind, values)
    except CgdmerError as error:  # of several fields together
        if not remedy:
            raise
        raise CgdmerError(f"{where.removesuffix(': ')}: {error}; {remedy}") from error


def _made(kind: type, values: Mapping[str, object]):
    made = {}
    for name, value in values.items():
        if classes := _classes(hints_of(kind)[name]):
            value = _made(fitting(classes, value), value)
        elif isinstance(value, list | tuple):
            value = tuple(tuple(v) if isinstance(v, list | tuple) else v for v in value)
        made[name] = value
    return kind(**made)


def _classes(hint: Any) -> list[type]:
    """Dataclasses that a field may hold."""
    return [one for one in members_of(hint) if dataclasses.is_dataclass(one)]


def members_of(hint: Any) -> tuple:
    """Members of the union `A | B`; a plain type is its own only member."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def fitting(classes: list[type], values: object) -> type:
    """The one of exactly these fields; else the one that has most of them, whose error tells what is wrong."""
    if not isinstance(values, Mapping):
        return classes[0]
    return max(classes, key=lambda one: -len(values.keys() ^ hints_of(one).keys()))
