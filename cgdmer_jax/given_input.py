"""What a caller of the encoder hands in, as plain NumPy arrays and names; refused where order or labels would be lost.

One place for every container: NumPy itself would drop a mask, column names, a unit or an imaginary part in silence.
"""

import math
from collections.abc import Iterable, Mapping, Set
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Num

from cgdmer_jax.errors import CgdmerError

Signal = Any  # numbers [lead, time] in whatever NumPy reads: arrays, masked ones, those of JAX or torch, lists
WFDB_INVALID = -32768  # "no measurement" in digital samples; in microvolts far beyond any lead
# Attributes of arrays that carry more than numbers: pandas, polars, pyarrow; xarray; pint and astropy.
LABELLED = ("columns", "iloc", "coords", "units", "unit")


def plain_signal(signal: Signal) -> Num[np.ndarray, "..."]:
    """Numbers in native byte order; what was masked, or is marked invalid among integers, is NaN."""
    if isinstance(signal, str | bytes | Mapping | Set):
        raise CgdmerError(f"a signal is a {type(signal).__name__}, which has no axes; give an array [lead, time]")
    for attribute in LABELLED:
        if hasattr(signal, attribute):
            raise CgdmerError(
                f"a signal is a {type(signal).__name__}, whose {attribute} would be lost; "
                "give the numbers alone as an array [lead, time], with leads and unit beside them"
            )
    if isinstance(signal, list | tuple):  # of rows, each of which may have a mask
        signal = _of_rows(signal)
    try:
        array = np.asarray(signal)
    except (ValueError, TypeError) as error:  # rows of unequal length
        raise CgdmerError(f"a signal is no array of numbers ({error}); give an array [lead, time]") from error
    if array.dtype.kind not in "fiu":
        raise CgdmerError(f"a signal holds {array.dtype}, expected real numbers; give float32 millivolts or the like")
    if array.dtype == np.float16 and np.isinf(array).any():
        raise CgdmerError("a signal of float16 holds infinite values, so it overflowed (65,504); give it as float32")
    absent = np.ma.getmaskarray(signal) if isinstance(signal, np.ma.MaskedArray) else np.zeros((), bool)
    if array.dtype.kind == "i":
        absent = absent | (array == WFDB_INVALID) | (array == np.iinfo(array.dtype).min)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.where(absent, np.nan, array) if absent.any() else array


def _of_rows(rows: list | tuple) -> Any:
    try:
        return np.ma.asarray(rows)
    except (ValueError, TypeError):
        return rows  # NumPy's own reason is told by the caller


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
    if not isinstance(unit, str):
        raise CgdmerError(f"unit is {unit!r}, expected text; give V, mV or uV")
