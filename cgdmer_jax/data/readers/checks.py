"""Checks that every format shares, so that what is accepted never depends on the format: size, rate, unit, leads."""

import math
from collections.abc import Iterable, Sequence

from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV, WaveformError, canonical_unit
from cgdmer_jax.waveform.lead_names import canonical_lead, no_lead_among

MOST_SIGNALS = 64
MOST_SAMPLES = 3_600_000  # an hour at 1 kHz
RATES_HZ = (50.0, 10_000.0)
LONGEST_NAME = 80  # of a signal, letters; a longer one is cut, and so none of a lead


def check_bounds(record: str, n_signals: int, length: int) -> None:
    """Raises where a record is larger than what is read."""
    if n_signals > MOST_SIGNALS or length > MOST_SAMPLES:
        sentence = (
            f"it has {n_signals} signals of {length:,} samples, but at most "
            f"{MOST_SIGNALS} of {MOST_SAMPLES:,} are read; cut the record"
        )
        raise RecordError(record, "length", "size", sentence)


def check_rate(record: str, rate: float, shown: str, remedy: str) -> None:
    """Raises where a rate in Hz, as its file shows it, is none of a recording."""
    if not (math.isfinite(rate) and RATES_HZ[0] <= rate <= RATES_HZ[1]):
        sentence = f'its rate is "{shown:.80}", expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz; {remedy}'
        raise RecordError(record, "rate", "rate", sentence)


def unit_of(record: str, lead: str, unit: str, remedy: str) -> str:
    """The unit of a lead as V, mV or uV."""
    try:
        return canonical_unit(unit)
    except WaveformError as fault:
        sentence = f'lead "{lead}" is in "{unit:.80}", expected {", ".join(UNITS_IN_MV)}; {remedy}'
        raise RecordError(record, "unit", "unit", sentence) from fault


def short_name(name: str) -> str:
    """A signal's name of bounded length."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\u2026"


def places_of_leads(record: str, names: Sequence[str], remedy: str) -> list[int]:
    """Places of the twelve leads among these names: at least one of them, and none of them twice."""
    places = [place for place, name in enumerate(names) if canonical_lead(name)]
    check_names(record, [names[place] for place in places], names, remedy)
    return places


def check_names(record: str, leads: Iterable[str], others: Iterable[str], remedy: str) -> None:
    """Raises where these names hold a lead twice, or none of them is there; `others` says what is there instead."""
    found: dict[str, str] = {}
    for name in leads:
        lead = canonical_lead(name)
        if lead in found:
            sentence = f'signals "{found[lead]}" and "{name}" are both lead {lead}; {remedy}'
            raise RecordError(record, "lead name", "lead_names", sentence)
        if lead is not None:
            found[lead] = name
    if not found:
        raise RecordError(record, "lead name", "unknown_leads", no_lead_among(others, " in the header"))
