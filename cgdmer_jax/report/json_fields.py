"""Frozen dataclasses as JSON and back: every field is there and of its type, and there is no other.

A field that has a default may lack: it is younger than the files that were written without it. An error names the
place and the type, never the value: it may be a patient's.
"""

import base64
import binascii
import dataclasses
import math
import types
import typing
from collections.abc import Collection

import numpy as np
from jaxtyping import AbstractArray

from cgdmer_jax.errors import CgdmerError

DTYPES = ("<i2", "<f4", "|b1")  # bytes of an array are the same on every machine


def to_json(value: object) -> object:
    """Dataclasses, tuples and dicts of what JSON has; an array becomes its dtype, its shape and its bytes in base64."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        dtype = next(name for name in DTYPES if value.dtype == np.dtype(name))
        content = base64.b64encode(value.astype(dtype).tobytes()).decode()
        return {"dtype": dtype, "shape": list(value.shape), "base64": content}
    if isinstance(value, tuple):
        return [to_json(one) for one in value]
    if isinstance(value, dict):
        return {name: to_json(one) for name, one in value.items()}
    return value


def from_json(kind: object, value: object, where: str) -> typing.Any:
    """A value of that type; `where` is the name of its place in an error.

    Types: dataclasses, arrays of jaxtyping, tuple[X, ...], dict[str, X], X | None, and str, int, float, bool.
    """
    origin = typing.get_origin(kind)
    if isinstance(kind, types.UnionType):
        (other,) = (one for one in typing.get_args(kind) if one is not types.NoneType)
        return None if value is None else from_json(other, value, where)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        later = {field.name for field in dataclasses.fields(kind) if _has_default(field)}
        _check_names(_of_type(dict, value, where), hints, where, later)
        there = {name: hint for name, hint in hints.items() if name in value}
        return kind(**{name: from_json(hint, value[name], f"{where}.{name}") for name, hint in there.items()})
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(from_json(item, one, f"{where}[{k}]") for k, one in enumerate(_of_type(list, value, where)))
    if origin is dict:
        item = typing.get_args(kind)[1]
        return {name: from_json(item, one, f"{where}.{name}") for name, one in _of_type(dict, value, where).items()}
    if isinstance(kind, type) and issubclass(kind, AbstractArray):
        return _array(kind, _of_type(dict, value, where), where)
    if kind is float and type(value) is int:
        return float(value)
    found = _of_type(kind, value, where)
    if kind is float and not math.isfinite(found):
        raise CgdmerError(f"{where} is not a finite number")
    return found


def _of_type(kind: type, value: object, where: str) -> typing.Any:
    if type(value) is not kind:  # isinstance would take True for a number
        raise CgdmerError(f"{where} is of type {type(value).__name__}, expected {kind.__name__}")
    return value


def _has_default(field: dataclasses.Field) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _check_names(fields: dict, expected: dict, where: str, later: Collection[str] = ()) -> None:
    if missing := expected.keys() - fields.keys() - set(later):
        raise CgdmerError(f"{where} lacks {', '.join(sorted(missing))}")
    if fields.keys() - expected.keys():
        raise CgdmerError(f"{where} has fields that are not known")


def _array(kind: type, fields: dict, where: str) -> np.ndarray:
    hints = {"dtype": str, "shape": tuple[int, ...], "base64": str}
    _check_names(fields, hints, where)
    dtype, shape, text = (from_json(hint, fields[name], f"{where}.{name}") for name, hint in hints.items())
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII
        raise CgdmerError(f"{where} is not base64") from error
    if dtype not in DTYPES or min(shape, default=0) < 0:
        raise CgdmerError(f"{where} has a dtype or a shape that no array here has")
    if len(content) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise CgdmerError(f"{where} has {len(content)} bytes, which is not what its shape asks for")
    array = np.frombuffer(content, dtype).reshape(shape)
    if dtype == "|b1" and array.view(np.uint8).max(initial=0) > 1:
        raise CgdmerError(f"{where} holds bytes that are neither true nor false")
    if not isinstance(array, kind):
        raise CgdmerError(f"{where} is an array {dtype} of shape {list(shape)}, expected {kind.__name__}")
    return array
