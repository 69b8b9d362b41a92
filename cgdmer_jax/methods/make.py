"""From plain values (a config, the config.json of a model folder) to a method object."""

import dataclasses
import types
import typing
from collections.abc import Mapping

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.protocol import Method

PLAIN = {int: int, float: int | float, bool: bool, str: str}  # types of fields, and what a value may be


def make_method(
    name: str,
    fields: Mapping[str, object],
    *,
    n_leads: int,
    n_samples: int,
    rate: float | int,
    vocabulary: int,
    max_tokens: int,
    full_stop: int,
) -> Method:
    """The method of that name; `fields` are exactly those of its config class."""
    if name not in METHODS:
        raise CgdmerError(f'config.method_name is "{name}".{suggest(name, METHODS)}')
    method, kind = METHODS[name]
    return method(
        from_fields(kind, fields),
        n_leads=n_leads,
        n_samples=n_samples,
        rate=rate,
        vocabulary=vocabulary,
        max_tokens=max_tokens,
        full_stop=full_stop,
    )


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
    """Of `A | B` both, of `A` itself."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _fitting(classes: list[type], values: object) -> type:
    """The one of exactly these fields; else the one that has most of them, whose error tells what is wrong."""
    if not isinstance(values, Mapping):
        return classes[0]
    return max(classes, key=lambda one: -len(values.keys() ^ typing.get_type_hints(one).keys()))
