"""Turns a caller's input into plain NumPy arrays and names; refuses what would lose order or labels.

One place for every container: NumPy itself would drop a mask, column names, a unit or an imaginary part in silence.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Num

from cgdmer_jax.errors import CgdmerError

Signal = Any  # numbers [lead, time] in whatever NumPy reads: arrays, masked ones, those of JAX or torch, lists
HIGHEST_HZ = 1e6  # far above any recorder: what is higher is no rate in hertz
WFDB_INVALID = -32768  # "no measurement" in digital samples; in microvolts far beyond any lead
# Attributes of arrays that carry more than numbers: pandas, polars, pyarrow; xarray; pint and astropy.
LABELLED = ("columns", "iloc", "coords", "units", "unit")


def plain_signal(signal: Signal) -> Num[np.ndarray, "..."]:
    """Numbers in native byte order; what was masked, or is marked invalid among integers, is NaN."""
    _refuse_labels(signal)
    try:
        if isinstance(signal, Sequence):
            signal = _of_rows(signal)
        array = np.asarray(signal)
    except CgdmerError:
        raise
    except (
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # unequal rows; torch: a tensor in a graph
        raise CgdmerError(f"a signal is no array of numbers ({error}); give an array [lead, time]") from error
    if array.dtype.kind not in "fiu":
        raise CgdmerError(f"a signal holds {array.dtype}, expected real numbers; give float32 millivolts or the like")
    if array.ndim == 0:
        raise CgdmerError("a signal is a single number; give an array [lead, time]")
    if array.dtype == np.float16 and np.isinf(array).any():
        raise CgdmerError("a signal of float16 holds infinite values, so it overflowed (65,504); give it as float32")
    absent = np.ma.getmaskarray(signal) if isinstance(signal, np.ma.MaskedArray) else np.zeros((), bool)
    if array.dtype.kind == "i":
        absent = absent | (array == WFDB_INVALID) | (array == np.iinfo(array.dtype).min)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.where(absent, np.nan, array) if absent.any() else array


def _refuse_labels(signal: object) -> None:
    if isinstance(signal, str | bytes | Mapping | Set):
        raise CgdmerError(f"a signal is a {type(signal).__name__}, which has no axes; give an array [lead, time]")
    for attribute in LABELLED:
        if hasattr(signal, attribute):
            raise CgdmerError(
                f"a signal is a {type(signal).__name__}, whose {attribute} would be lost; "
                "give the numbers alone as an array [lead, time], with leads and unit beside them"
            )


def _of_rows(rows: Sequence) -> Any:
    """The rows as one array, masked where a row was, at any depth: NumPy drops a mask that stands inside a list."""
    parts = []
    for row in rows:
        if not isinstance(row, float | int):
            _refuse_labels(row)
            row = _of_rows(row) if isinstance(row, Sequence) else row
        parts.append(row)
    try:
        return np.ma.asarray(parts)
    except (ValueError, TypeError):
        return parts  # the caller tells NumPy's own reason


def in_order(values: object, what: str) -> Iterable:
    """The same values, if they have an order of their own; one string is no list of strings."""
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise CgdmerError(f"{what} is a {type(values).__name__}, expected several in order; give a list")
    return values


def lead_names(leads: object) -> tuple[str, ...]:
    """Names in the order of the signal's first axis."""
    names = tuple(in_order(leads, "leads"))
    for name in names:
        if not isinstance(name, str):
            raise CgdmerError(f'leads holds {name!r}, which is no name; give names such as "I", "II", "V1"')
    return names


def check_rate_and_unit(rate: object, unit: object) -> None:
    """Refuses what is no number of hertz or no text."""
    if not isinstance(rate, Real) or isinstance(rate, bool):
        raise CgdmerError(f"rate is {rate!r}, expected a number of hertz; give the rate of the recordings")
    if not (math.isfinite(rate) and rate > 0):
        raise CgdmerError(f"rate is {rate} Hz, expected more than 0; give the rate of the recordings")
    if rate > HIGHEST_HZ:
        raise CgdmerError(f"rate is {rate:g} Hz, expected at most {HIGHEST_HZ:g}; give hertz")
    if not isinstance(unit, str):
        raise CgdmerError(f"unit is {unit!r}, expected text; give V, mV or uV")
