"""Turns a caller's input into plain NumPy arrays and names; refuses what would lose order or labels.

One place for every container: NumPy itself would drop a mask, column names, a unit or an imaginary part in silence.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Num

from cgdmer_jax.errors import CgdmerError

Signal = Any  # numbers [lead, time] in whatever NumPy reads: arrays, masked ones, those of JAX or torch, lists
HIGHEST_HZ = 1e6  # far above any recorder: what is higher is no rate in hertz
WFDB_INVALID = -32768  # "no measurement" in digital samples; in microvolts far beyond any lead
LARGEST = 1e30  # far above any sample in any unit; its millivolts are still finite in float32
# Attributes of arrays that carry more than numbers, and how to give the numbers alone.
LABELLED = {
    # pandas, polars, pyarrow; where each column is a lead
    "columns": "table.to_numpy().T as [lead, time], with leads=list(table.columns)",
    "iloc": "series.to_numpy()",
    "coords": "the numbers alone as an array [lead, time], with leads beside them",  # xarray
    "units": "the numbers alone as an array [lead, time], with unit beside them",  # pint
    "unit": "the numbers alone as an array [lead, time], with unit beside them",  # astropy
}


def plain_signal(signal: Signal) -> Num[np.ndarray, "..."]:
    """Numbers in native byte order; what was masked, or is marked invalid among integers, is NaN."""
    _refuse_labels(signal)
    try:
        signal = _of_rows(signal) if isinstance(signal, Sequence) else _without_graph(signal)
        array = np.asarray(signal)
    except CgdmerError:
        raise
    except (
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # unequal rows; torch: a tensor in a graph
        raise CgdmerError(f"a signal is no array of numbers ({error}); give an array [lead, time]") from error
    if array.dtype.name == "bfloat16":  # of JAX; NumPy itself knows no such kind
        array = array.astype(np.float32)
    if array.dtype == object and array.ndim == 0:
        raise CgdmerError(f"a signal is a {type(signal).__name__}, which is no array; give numbers as [lead, time]")
    if array.dtype.kind not in "fiu":
        raise CgdmerError(f"a signal holds {array.dtype}, expected real numbers; give float32 millivolts or the like")
    if array.ndim == 0:
        raise CgdmerError("a signal is a single number; give an array [lead, time]")
    if array.dtype == np.float16 and np.isinf(array).any():
        raise CgdmerError("a signal of float16 holds infinite values, so it overflowed (65,504); give it as float32")
    _refuse_infinite(array, signal)
    absent = np.ma.getmaskarray(signal) if isinstance(signal, np.ma.MaskedArray) else np.zeros((), bool)
    if array.dtype.kind == "i":
        absent = absent | (array == WFDB_INVALID) | (array == np.iinfo(array.dtype).min)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.where(absent, np.nan, array) if absent.any() else array


def _refuse_labels(signal: object) -> None:
    if hasattr(signal, "toarray"):  # of SciPy
        raise CgdmerError(f"a signal is a {type(signal).__name__}, which is sparse; give signal.toarray()")
    if isinstance(signal, str | bytes | Mapping | Set):
        raise CgdmerError(f"a signal is a {type(signal).__name__}, which has no axes; give an array [lead, time]")
    for attribute, remedy in LABELLED.items():
        if hasattr(signal, attribute):
            raise CgdmerError(f"a signal is a {type(signal).__name__}, whose {attribute} would be lost; give {remedy}")


def _refuse_infinite(array: Num[np.ndarray, "..."], signal: Signal) -> None:
    """Raises where a division by 0 or an overflow stands in place of a sample; NaN alone says "not measured"."""
    if array.dtype.kind != "f" or array.dtype == np.float16:  # whose infinite values have a sentence of their own
        return
    if array.size == 0 or max(np.fmax.reduce(array, axis=None), -np.fmin.reduce(array, axis=None)) <= LARGEST:
        return  # found without a copy; NaN is passed over
    wrong = np.abs(array) > LARGEST
    if isinstance(signal, np.ma.MaskedArray):
        wrong &= ~np.ma.getmaskarray(signal)
    if wrong.any():
        first = [int(at[0]) for at in np.nonzero(wrong)]
        raise CgdmerError(
            f"a signal holds samples that are infinite or above {LARGEST:g} ({np.count_nonzero(wrong):,}, the first at "
            f"{first}); give NaN where nothing was measured"
        )


def _without_graph(signal: Signal) -> Any:
    """A tensor of torch as NumPy can read it: outside of the graph, in memory; anything else as it is."""
    if all(hasattr(signal, name) for name in ("detach", "cpu", "resolve_conj", "element_size")):
        signal = signal.detach().cpu().resolve_conj()
        return signal.float() if str(signal.dtype) == "torch.bfloat16" else signal
    return signal


def _of_rows(rows: Sequence) -> Any:
    """The rows as one array, masked where a row was, at any depth: NumPy drops a mask that stands inside a list."""
    parts = []
    for row in rows:
        if not isinstance(row, float | int):
            _refuse_labels(row)
            row = _of_rows(row) if isinstance(row, Sequence) else _without_graph(row)
        parts.append(row)
    try:
        return np.ma.asarray(parts)
    except (ValueError, TypeError):
        return parts  # the caller tells NumPy's own reason


def one_recording(signal: Signal, leads: tuple[str, ...]) -> Num[np.ndarray, "lead time"]:
    """The numbers [lead, time] of one recording; with the name of a single lead its samples alone will do."""
    array = plain_signal(signal)
    if array.ndim == 1 and len(leads) == 1:
        return array[None]
    if array.ndim != 2:
        raise CgdmerError(
            f"a signal has shape {list(array.shape)}, expected [{len(leads)} named leads, time]; give both axes"
        )
    if len(leads) == 1 and 1 not in array.shape:
        raise CgdmerError(
            f"a signal has shape {list(array.shape)}, but leads names one lead alone ({leads[0]}); name each, or give "
            "several recordings of one lead as an array [record, 1, time]"
        )
    return array


def depth(signal: object) -> int:
    """Number of axes: of an array, or of sequences in sequences as NumPy would read them; 0 of anything else."""
    if (shape := getattr(signal, "shape", None)) is not None:
        within = isinstance(signal, np.ndarray) and signal.dtype.kind == "O" and signal.ndim == 1 and signal.size
        return 1 + depth(signal[0]) if within else len(shape)  # arrays of unequal lengths in one of objects
    if isinstance(signal, str | bytes) or not isinstance(signal, Sequence):
        return 0
    return 1 + next((depth(one) for one in signal if one is not None), 0)


def in_order(values: object, what: str) -> Iterable:
    """The same values, if they have one order of their own; one string is no list of strings, nor is a table."""
    if (axes := getattr(values, "ndim", 1)) == 0 or isinstance(values, str | bytes | Mapping | Set):
        raise CgdmerError(f"{what} is a {type(values).__name__}, expected several in order; give a list")
    if axes != 1 or hasattr(values, "columns"):
        raise CgdmerError(f"{what} is a {type(values).__name__} of several columns; give one of them, as a list")
    if not isinstance(values, Iterable):
        raise CgdmerError(f"{what} is a {type(values).__name__}, expected several in order; give a list")
    return values


def plain_text(text: object, where: str) -> str:
    """The same text, if it is one; a missing one (None, NaN) is none."""
    if not isinstance(text, str):
        missing = (
            text is None
            or type(text).__name__ in ("NAType", "NaTType")
            or (isinstance(text, float) and math.isnan(text))
        )
        told = "missing" if missing else f"of type {type(text).__name__}"
        raise CgdmerError(f"{where} is {told} ({text!r:.40}), expected text; leave it out")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise CgdmerError(f"{where} holds half a letter (a lone surrogate), which no text has; read it anew as UTF-8")
    return text


def lead_names(leads: object) -> tuple[str, ...]:
    """Names in the order of the signal's first axis."""
    names = tuple(in_order(leads, "leads"))
    for name in names:
        if not isinstance(name, str):
            raise CgdmerError(f'leads holds {name!r}, which is no name; give names such as "I", "II", "V1"')
    return names


def plain_rate(rate: object) -> float | int:
    """The rate in Hz as Python's own number; refuses what is no number of hertz."""
    if getattr(rate, "shape", None) == () and hasattr(rate, "item"):  # of NumPy, JAX, torch, as npz files hold it
        rate = rate.item()
    if not isinstance(rate, Real) or isinstance(rate, bool):
        raise CgdmerError(f"rate is {rate!r}, expected a number of hertz; give the rate of the recordings")
    hertz = float(max(min(rate, sys.float_info.max), -sys.float_info.max))  # a whole number may lie beyond all floats
    if not hertz > 0:  # NaN too
        raise CgdmerError(f"rate is {hertz:g} Hz, expected more than 0; give the rate of the recordings")
    if hertz > HIGHEST_HZ:
        raise CgdmerError(f"rate is {hertz:g} Hz, expected at most {HIGHEST_HZ:g}; give hertz")
    return rate if isinstance(rate, int) else hertz


def check_unit(unit: object) -> None:
    """Refuses what is no text."""
    if not isinstance(unit, str):
        raise CgdmerError(f"unit is {unit!r}, expected text; give V, mV or uV")
