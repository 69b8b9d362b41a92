"""Arrays to recordings, for the formats that hold samples and may say nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer_jax.data.readers.checks import check_bounds, check_rate, places_of_leads, short_name, unit_of
from cgdmer_jax.data.readers.reader import Hints, Location, fault
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb_formats import INVALID
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

CORRECT = "correct the file, or what is said of it"
FLAGS = {"rate": "--recording_rate", "leads": "--leads", "unit": "--unit"}  # of convert and embed: what files leave out
_NUMERIC = "iuf"  # kinds of NumPy


@dataclass(frozen=True)
class Facts(Hints):
    """Hints, and whether the unit among them is the caller's and not the file's."""

    unit_is_given: bool = False


def completed(said: Hints, hints: Hints) -> Facts:
    """Facts stated by the file, completed from the hints."""
    return Facts(
        rate=hints.rate if said.rate is None else said.rate,
        leads=hints.leads if said.leads is None else said.leads,
        unit=hints.unit if said.unit is None else said.unit,
        unit_is_given=said.unit is None,
    )


def as_published(location: Location, name: str, published: Hints, hints: Hints) -> Hints:
    """Published facts about arrays of that name; a hint that contradicts them means a different array, and raises."""
    for field in FLAGS:
        known, given = getattr(published, field), getattr(hints, field)
        if None not in (known, given) and known != given:
            shown = ",".join(known) if field == "leads" else known
            sentence = (
                f'its array "{name}" is that of a published layout with {field} {shown}, and {FLAGS[field]} says '
                f"something else; rename the array if it is your own, or leave {FLAGS[field]} out"
            )
            raise fault(location, "unknown_leads" if field == "leads" else field, field, sentence)
    return completed(published, hints)


def check_array(location: Location, shape: Sequence[int], dtype: np.dtype, facts: Hints) -> int:
    """Checks an array before it is read, [lead, time] or [time, lead]; gives the axis of the leads."""
    for field, value in (("rate", facts.rate), ("leads", facts.leads), ("unit", facts.unit)):
        if value is None:
            problem = "unknown_leads" if field == "leads" else field
            sentence = f"its file does not say the {field} of its samples; say it with {FLAGS[field]}"
            raise fault(location, problem, field, sentence)
    if dtype.kind not in _NUMERIC:
        raise fault(location, "format", "dtype", f"its samples are of type {dtype}, expected numbers; {CORRECT}")
    n_names = len(facts.leads)
    if len(shape) != 2 or n_names not in shape:
        sentence = f"its samples have shape {[*shape]}, expected [{n_names} named leads, time]; {CORRECT}"
        raise fault(location, "length", "shape", sentence)
    axis = 0 if shape[0] == n_names else 1
    check_bounds(str(location), n_names, shape[1 - axis])
    if not shape[1 - axis]:
        raise fault(location, "length", "shape", "it holds no sample; leave it out")
    return axis


def recording_of(location: Location, signal: np.ndarray, facts: Facts) -> Recording:
    """The leads of an array of any numeric type in float32 millivolts; what is not finite was not measured."""
    axis = check_array(location, signal.shape, signal.dtype, facts)
    record, names = str(location), tuple(short_name(name) for name in facts.leads)
    check_rate(record, facts.rate, f"{facts.rate:g}", CORRECT)
    places = places_of_leads(record, names, CORRECT)
    unit = unit_of(record, names[places[0]], facts.unit, CORRECT)
    leads = signal[places] if axis == 0 else signal[:, places].T
    with np.errstate(over="ignore", invalid="ignore"):
        signal_mv = (leads.astype(np.float64) * UNITS_IN_MV[unit]).astype(np.float32, order="C")
    signal_mv[~np.isfinite(signal_mv)] = np.nan
    if leads.dtype.kind == "i" and leads.dtype.itemsize == 2:  # as WFDB and converters mark it
        signal_mv[leads == INVALID["16"]] = np.nan
    extra = tuple(name for place, name in enumerate(names) if place not in places)
    kept = tuple(names[place] for place in places)
    given = unit if facts.unit_is_given else None
    return Recording(signal_mv, float(facts.rate), kept, record, extra, unit_given=given)
