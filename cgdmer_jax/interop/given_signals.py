"""Signals in use, one or several, as the windows that a model reads; says which cannot be read, and warns of leads."""

import warnings
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Num

from cgdmer_jax.contract import InputContract, Prepared, prepare
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import Signal, check_rate_and_unit, in_order, lead_names, plain_signal
from cgdmer_jax.waveform.lead_names import LEADS, advice_about, canonical_lead
from cgdmer_jax.waveform.windows import split

Signals = Signal | Iterable[Signal]


def prepare_all(
    contract: InputContract,
    signal: Signals,
    rate: float | int,
    leads: Iterable[str],
    unit: str,
    windows: str | None,
) -> Iterator[Prepared]:
    """The windows of one signal or of several, in order; names the signal and the window that cannot be read."""
    check_rate_and_unit(rate, unit)
    names = lead_names(leads)
    if is_one(signal):
        yield from _of_one(contract, signal, rate, names, unit, windows)
        return
    if windows == "all":
        raise CgdmerError('windows "all" of several signals would not say which is whose; give one signal a call')
    for number, one in enumerate(_several(signal)):
        try:
            yield from _of_one(contract, one, rate, names, unit, windows)
        except CgdmerError as error:
            raise CgdmerError(f"signal {number}: {error}") from error


def _of_one(
    contract: InputContract,
    signal: Signal,
    rate: float | int,
    leads: tuple[str, ...],
    unit: str,
    windows: str | None,
) -> Iterator[Prepared]:
    parts, passed_over = split(plain_signal(signal), rate, contract.seconds, windows or "first")
    if passed_over and windows in (None, "all"):  # the others were asked for
        warnings.warn(f'{passed_over}; choose with windows="first", "centre" or "all"', stacklevel=2)
    for part in parts:
        try:
            yield _window(contract, part.signal, rate, leads, unit)
        except CgdmerError as error:
            where = f"window from {part.start_s:g} s: " if len(parts) > 1 else ""
            raise CgdmerError(f"{where}{error}") from error


def _window(
    contract: InputContract, signal: Num[np.ndarray, "lead time"], rate: float | int, leads: tuple[str, ...], unit: str
) -> Prepared:
    prepared = prepare(contract, signal, rate, leads, unit)
    if prepared.extra_leads:  # a misspelt name would otherwise be a lead that silently lacks
        name = prepared.extra_leads[0]
        raise CgdmerError(f'lead "{name}" is none of the twelve; {advice_about(name, contract.leads)}')
    if unused := _unused(signal, leads, prepared):
        why = "flat, clipped, or not measured for over a twentieth of the time"
        warnings.warn(f"{', '.join(unused)}: not used, as if it were not given ({why})", stacklevel=2)
    return prepared


def _unused(signal: Num[np.ndarray, "lead time"], leads: tuple[str, ...], prepared: Prepared) -> list[str]:
    """Leads of which something was measured, and which the model is not shown all the same."""
    absent = {lead for lead, used in zip(LEADS, prepared.lead_mask, strict=True) if not used}
    measured = np.isfinite(signal).any(1)
    return [name for name, some in zip(leads, measured, strict=True) if some and canonical_lead(name) in absent]


def is_one(signal: Signals) -> bool:
    """Whether it is a single recording [lead, time]."""
    return len(getattr(signal, "shape", ())) == 2


def _several(signals: Signals) -> Iterable:
    shape = getattr(signals, "shape", None)
    if shape is not None and len(shape) != 3:
        raise CgdmerError(f"signals have shape {[*shape]}, expected [lead, time], [record, lead, time] or a list")
    return in_order(signals, "signals")
