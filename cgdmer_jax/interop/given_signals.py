"""Signals in use, one or several, as the windows that a model reads; says which cannot be read, what looks wrong."""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Num

from cgdmer_jax.contract import InputContract, Prepared, prepare, remark_on_length
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import Signal, check_unit, depth, in_order, lead_names, one_recording, plain_rate
from cgdmer_jax.waveform.lead_names import LEADS, advice_about, canonical_lead
from cgdmer_jax.waveform.windows import split

Signals = Signal | Iterable[Signal]
MOST_TOLD = 5  # different remarks in a warning, and numbers of signals with each


class Remarks:
    """Remarks on the signals of one call, for one warning; nothing of it ended the work."""

    def __init__(self):
        self._where = defaultdict(list)  # by remark: the signals, or starts of windows
        self._seen = 0
        self._marked = 0

    def note(self, remarks: list[str], where: str) -> None:
        """Adds those of one window; `where` is the signal's number, or where the window starts."""
        self._seen += 1
        self._marked += bool(remarks)
        for remark in remarks:
            self._where[remark].append(where)

    def warn(self, noun: str | None) -> None:
        """Warns the caller of the caller, if there is a remark; `noun`: what was given several of, None if one."""
        if not self._where:
            return
        told = sorted(self._where.items(), key=lambda item: -len(item[1]))
        words = [f"{remark} ({_named(where, noun)})" if noun else remark for remark, where in told[:MOST_TOLD]]
        words += [f"and {len(told) - MOST_TOLD} other remarks"] if len(told) > MOST_TOLD else []
        count = f"something looks wrong in {self._marked:,} of {self._seen:,} {noun}s: " if noun else ""
        warnings.warn(f"{count}{'; '.join(words)}", stacklevel=3)


def _named(where: list[str], noun: str) -> str:
    more = len(where) - MOST_TOLD
    names = ", ".join(where[:MOST_TOLD]) + (f" and {more:,} more" if more > 0 else "")
    return f"{noun}{'s' if len(where) > 1 else ''} {names}"


def prepare_all(
    contract: InputContract,
    signal: Signals,
    rate: float | int,
    leads: Iterable[str],
    unit: str,
    windows: str | None,
    remarks: Remarks,
) -> Iterator[Prepared]:
    """The windows of one signal or of several, in order; names the signal and the window that cannot be read."""
    rate = plain_rate(rate)
    check_unit(unit)
    names = lead_names(leads)
    if is_one(signal):
        for start, prepared, noted in _of_one(contract, signal, rate, names, unit, windows):
            remarks.note(noted, start)
            yield prepared
        return
    if windows == "all":
        raise CgdmerError('windows "all" of several signals would not say which is whose; give one signal a call')
    for number, one in enumerate(_several(signal)):
        try:
            [(_, prepared, noted)] = _of_one(contract, one, rate, names, unit, windows)
        except CgdmerError as error:
            raise CgdmerError(f"signal {number}: {error}") from error
        remarks.note(noted, str(number))
        yield prepared


def _of_one(
    contract: InputContract,
    signal: Signal,
    rate: float | int,
    leads: tuple[str, ...],
    unit: str,
    windows: str | None,
) -> Iterator[tuple[str, Prepared, list[str]]]:
    """Start, window and remarks of each window that is asked for."""
    whole = one_recording(signal, leads)
    parts, passed_over = split(whole, rate, contract.seconds, "first" if windows is None else windows)
    if not (passed_over and windows in (None, "all")):  # the others were asked for
        passed_over = None
    for part in parts:
        try:
            prepared, remarks = _window(contract, part.signal, rate, leads, unit)
        except CgdmerError as error:
            where = f"window from {part.start_s:g} s: " if len(parts) > 1 else ""
            raise CgdmerError(f"{where}{error}") from error
        if passed_over and part is parts[0]:
            remarks.append(f'{passed_over}; choose with windows="first", "centre" or "all"')
        if remark := remark_on_length(contract, whole.shape[1], rate):
            remarks.append(remark)
        yield f"from {part.start_s:g} s", replace(prepared, start_s=part.start_s), remarks


def _window(
    contract: InputContract, signal: Num[np.ndarray, "lead time"], rate: float | int, leads: tuple[str, ...], unit: str
) -> tuple[Prepared, list[str]]:
    prepared = prepare(contract, signal, rate, leads, unit)
    if prepared.extra_leads:  # a misspelt name would otherwise be a lead that silently lacks
        name = prepared.extra_leads[0]
        raise CgdmerError(f'lead "{name}" is none of the twelve; {advice_about(name, contract.leads)}')
    remarks = []
    if unused := _unused(signal, leads, prepared):
        why = "flat, clipped, or not measured for over a twentieth of the time"
        remarks.append(f"{', '.join(unused)}: not used, as if it were not given ({why})")
    return prepared, remarks + prepared.remarks


def _unused(signal: Num[np.ndarray, "lead time"], leads: tuple[str, ...], prepared: Prepared) -> list[str]:
    """Leads of which something was measured, and which the model is not shown all the same."""
    absent = {lead for lead, used in zip(LEADS, prepared.lead_mask, strict=True) if not used}
    measured = np.isfinite(signal).any(1)
    return [name for name, some in zip(leads, measured, strict=True) if some and canonical_lead(name) in absent]


def is_one(signal: Signals) -> bool:
    """Whether it is a single recording: [lead, time], or the samples of a single lead."""
    return depth(signal) in (1, 2) and not (isinstance(signal, Sequence) and len(signal) == 0)


def _several(signals: Signals) -> Iterable:
    shape = getattr(signals, "shape", None)
    if shape is not None and depth(signals) != 3:
        raise CgdmerError(f"signals have shape {[*shape]}, expected [lead, time], [record, lead, time] or a list")
    return in_order(signals, "signals") if shape is None else signals


def counted(signal: Signals, windows: str | None) -> str | None:
    """The noun for what a call was given several of; None for one signal."""
    if is_one(signal):
        return "window" if windows == "all" else None
    return "signal"
