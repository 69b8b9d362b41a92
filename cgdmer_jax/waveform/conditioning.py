"""The signal path: named leads, millivolts, gaps, limb leads, filter, resampling, int16 microvolts.

One chain, `condition`, makes every stored and every prepared signal, so that what an encoder sees in
use is what it saw in training. NumPy and SciPy only (docs/design.md, "Signal path").
"""

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int16, Num, Shaped

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.waveform.lead_names import LEADS, canonical_lead, extra_leads, no_lead_among
from cgdmer_jax.waveform.limb_leads import Agreement, agreement, derivable, derive
from cgdmer_jax.waveform.quality import LeadQuality, lead_quality

UNITS_IN_MV = {"V": 1000.0, "mV": 1.0, "uV": 0.001}
FILTERS = ("none", "bandpass_0.5_40")
BAND_HZ = (0.5, 40.0)
LARGEST_UV = 32767  # int16; -32768 is never stored, since WFDB reads it as "no measurement"
SHORTEST_SECONDS = 1.0
AMPLITUDE_MV = (0.02, 30.0)  # the median peak-to-peak of a surface ECG's leads lies within
USUAL_AMPLITUDE_MV = (0.2, 10.0)  # where it lies in nearly every record: tells which unit was meant

# Why a signal was refused; `.problem` of a WaveformError is one of these.
WAVEFORM_PROBLEMS = {
    "shape": "the signal is not [lead, time] with one name a lead",
    "unit": "the unit is not V, mV or uV",
    "duplicate_lead": "two signals carry the name of one lead",
    "unknown_leads": "no signal carries the name of a standard lead",
    "rate": "the sampling rate is not a usable number of hertz",
    "too_short": f"the recording is shorter than {SHORTEST_SECONDS:g} s",
    "amplitude": "the leads are so small or large that the unit or gain must be another one",
    "no_lead": "every lead is absent (no measurement, flat or clipped)",
    "filter": "the filter has no such name",
}


class WaveformError(CgdmerError):
    """A signal that cannot become the store's form; `problem` is a key of WAVEFORM_PROBLEMS.

    `amplitude_mv`: of an unlikely amplitude, the leads' median peak-to-peak.
    """

    def __init__(self, problem: str, sentence: str, amplitude_mv: float | None = None):
        assert problem in WAVEFORM_PROBLEMS, problem
        super().__init__(sentence)
        self.problem, self.amplitude_mv = problem, amplitude_mv

    def __reduce__(self):
        # Errors cross process borders in conversion; the default would call __init__ with one argument.
        return type(self), (self.problem, str(self), self.amplitude_mv)


@dataclass(frozen=True)
class Conditioned:
    """One record as the store keeps it: microvolts, absent leads and padding zero."""

    signal: Int16[np.ndarray, "12 time"]
    lead_mask: Bool[np.ndarray, "12"]
    valid_length: int  # samples before the padding
    quality: LeadQuality
    agreement: Agreement
    derived: Bool[np.ndarray, "12"]  # limb leads made from two others, on request
    n_filled: Shaped[np.ndarray, "12"]  # interpolated samples a lead, at the source's rate
    extra_leads: tuple[str, ...]  # names outside the twelve: not kept


def canonical_unit(unit: str) -> str:
    """'mv' -> 'mV', 'µV' -> 'uV', in any case; an unknown unit raises."""
    folded = unit.strip().casefold().replace("µ", "u").replace("μ", "u")
    for known in UNITS_IN_MV:
        if folded == known.casefold():
            return known
    raise WaveformError("unit", f'unit is "{unit}", expected {", ".join(UNITS_IN_MV)}; give the right one')


def to_millivolts(signal: Num[np.ndarray, "lead time"], unit: str) -> Float[np.ndarray, "lead time"]:
    """Millivolts in float64; what is not finite becomes NaN, the mark of no measurement.

    Rounded to 0.01 uV, far below any converter's step, so that one measurement given as int16
    microvolts, float32 volts or float64 millivolts becomes one number.
    """
    signal_mv = signal.astype(np.float64)  # a copy, in which the rest is done
    signal_mv *= UNITS_IN_MV[canonical_unit(unit)] * 1e5
    np.round(signal_mv, out=signal_mv)
    signal_mv /= 1e5
    finite = np.isfinite(signal_mv)
    if not finite.all():
        signal_mv[~finite] = np.nan
    return signal_mv


def arrange(
    signal: Num[np.ndarray, "source_lead time"], names: tuple[str, ...], unit: str
) -> Float32[np.ndarray, "12 time"]:
    """Millivolts in the order of LEADS, found by name; NaN where a lead is not given; others left out."""
    if signal.ndim != 2 or signal.shape[0] != len(names):
        hint = "; transpose it" if signal.ndim == 2 and signal.shape[1] == len(names) else ""
        raise WaveformError(
            "shape", f"signal has shape {list(signal.shape)}, expected [{len(names)} named leads, time]{hint}"
        )
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        lead = canonical_lead(name)
        if lead in found:
            raise WaveformError(
                "duplicate_lead",
                f'leads "{names[found[lead]]}" and "{name}" are both {lead}; leave one of them out',
            )
        if lead is not None:
            found[lead] = position
    if not found:
        raise WaveformError("unknown_leads", no_lead_among(names))
    arranged_mv = np.full((len(LEADS), signal.shape[1]), np.nan, np.float32)
    arranged_mv[[LEADS.index(lead) for lead in found]] = to_millivolts(signal[list(found.values())], unit)
    return arranged_mv


def first_seconds(
    signal: Shaped[np.ndarray, "lead time"], rate: float | int, seconds: float | int
) -> Shaped[np.ndarray, "lead new_time"]:
    """The first `seconds`; a rate that is no positive number of hertz raises."""
    if not (math.isfinite(rate) and rate > 0):
        raise WaveformError("rate", f"rate is {rate} Hz, expected more than 0; give the recording's own rate")
    return signal[..., : round(seconds * rate)]


def fill_gaps(
    signal_mv: Float[np.ndarray, "lead time"],
) -> tuple[Float[np.ndarray, "lead time"], Shaped[np.ndarray, "lead"]]:
    """Straight lines over NaN (the nearest value at the ends), with the number filled a lead."""
    nan = np.isnan(signal_mv)
    filled = signal_mv.copy()
    time = np.arange(signal_mv.shape[1])
    for lead in np.flatnonzero(nan.any(axis=1) & ~nan.all(axis=1)):
        gap = nan[lead]
        filled[lead, gap] = np.interp(time[gap], time[~gap], signal_mv[lead, ~gap])
    n_filled = np.where(nan.all(axis=1), 0, nan.sum(axis=1))
    return filled, n_filled


def bandpass(signal_mv: Float[np.ndarray, "lead time"], rate: float | int) -> Float[np.ndarray, "lead time"]:
    """Zero-phase 0.5-40 Hz: a third-order Butterworth filter run forwards and backwards."""
    from scipy import signal as scipy_signal

    if rate <= 2 * BAND_HZ[1]:
        raise WaveformError("rate", f"rate is {rate:g} Hz, too low for {FILTERS[1]}; use filter none")
    sections = scipy_signal.butter(3, BAND_HZ, btype="bandpass", fs=rate, output="sos")
    # The 0.5 Hz edge rings for about two seconds: so much mirrored signal before the first sample.
    padding = min(signal_mv.shape[1] - 1, round(2 * rate))
    return scipy_signal.sosfiltfilt(sections, signal_mv, axis=1, padlen=padding)


def resample(
    signal_mv: Float[np.ndarray, "lead time"], rate_from: float | int, rate_to: float | int
) -> Float[np.ndarray, "lead new_time"]:
    """Polyphase resampling (scipy.signal.resample_poly) to round(time * rate_to / rate_from) samples."""
    if rate_from == rate_to:
        return signal_mv
    from scipy import signal as scipy_signal

    ratio = Fraction(rate_to / rate_from).limit_denominator(10_000)
    # padtype "line": zeros outside would bend the ends of every lead that does not start at 0 mV.
    low_pass = _low_pass(max(ratio.numerator, ratio.denominator)).astype(signal_mv.dtype)
    resampled = scipy_signal.resample_poly(
        signal_mv, ratio.numerator, ratio.denominator, axis=1, window=low_pass, padtype="line"
    )
    return resampled[:, : round(signal_mv.shape[1] * rate_to / rate_from)]


@functools.lru_cache(maxsize=8)
def _low_pass(factor: int) -> Float64[np.ndarray, "tap"]:
    """The filter that resample_poly designs at each call of its own, a third of its time."""
    from scipy import signal as scipy_signal

    return scipy_signal.firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0))


def to_microvolts(signal_mv: Float[np.ndarray, "lead time"]) -> Int16[np.ndarray, "lead time"]:
    """Rounded to whole microvolts and held within +-32,767; NaN is a programming mistake here."""
    assert not np.isnan(signal_mv).any(), "fill gaps and blank absent leads first"
    return np.clip(np.round(signal_mv * 1000), -LARGEST_UV, LARGEST_UV).astype(np.int16)


def crop_or_pad(signal: Shaped[np.ndarray, "lead time"], samples: int) -> Shaped[np.ndarray, "lead samples"]:
    """The first `samples` samples, followed by zeros where there are fewer."""
    kept = signal[:, :samples]
    return np.pad(kept, ((0, 0), (0, samples - kept.shape[1])))


def condition(
    signal: Num[np.ndarray, "source_lead source_time"],
    rate: float | int,
    leads: tuple[str, ...],
    unit: str,
    *,
    target_rate: float | int,
    seconds: float | int,
    filter: str,
    derive_limb_leads: bool,
) -> Conditioned:
    """Units -> gaps -> (derive) -> filter -> resample -> int16 microvolts: the one chain of conversion and `prepare`.

    Cropped first, so that what follows the kept seconds changes nothing in them.
    """
    if filter not in FILTERS:
        raise WaveformError("filter", f'filter "{filter}" does not exist.{suggest(filter, FILTERS)}')
    arranged_mv = arrange(first_seconds(signal, rate, seconds), leads, unit)
    if arranged_mv.shape[1] < SHORTEST_SECONDS * rate:
        found = f"{arranged_mv.shape[1]} samples at {rate:g} Hz"
        raise WaveformError("too_short", f"signal has {found}, under {SHORTEST_SECONDS:g} s; leave it out")
    _refuse_unlikely_amplitude(arranged_mv, canonical_unit(unit))
    quality = lead_quality(arranged_mv)
    if quality.absent.all():
        raise WaveformError(
            "no_lead", "every lead is without measurement, flat or clipped; check the unit or leave it out"
        )
    arranged_mv[quality.absent] = 0.0
    filled_mv, n_filled = fill_gaps(arranged_mv.astype(np.float64))
    agrees = agreement(filled_mv, quality.absent, quality.amplitude_mv)
    derived = derivable(quality.absent) & derive_limb_leads
    if derived.any():
        filled_mv = derive(filled_mv, derived, quality.absent)
    if filter != "none":
        filled_mv = bandpass(filled_mv, rate)
    resampled_uv = to_microvolts(resample(filled_mv, rate, target_rate))
    samples = round(seconds * target_rate)
    return Conditioned(
        signal=crop_or_pad(resampled_uv, samples),
        lead_mask=~quality.absent | derived,
        valid_length=min(samples, resampled_uv.shape[1]),
        quality=quality,
        agreement=agrees,
        derived=derived,
        n_filled=n_filled,
        extra_leads=extra_leads(leads),
    )


def _refuse_unlikely_amplitude(signal_mv: Float[np.ndarray, "lead time"], unit: str) -> None:
    """Raises when the leads' median peak-to-peak shows another unit than the one given."""
    signal_mv = signal_mv[np.isfinite(signal_mv).any(axis=1)]
    peak_to_peak = np.nanmax(signal_mv, axis=1) - np.nanmin(signal_mv, axis=1)
    moving = peak_to_peak[peak_to_peak > 0]
    if moving.size == 0:
        return  # every lead is absent, and that is said
    amplitude_mv = float(np.median(moving))
    lowest, highest = AMPLITUDE_MV
    if lowest <= amplitude_mv <= highest:
        return
    raise WaveformError("amplitude", _unlikely(amplitude_mv, unit), amplitude_mv)


def told_in_unit(error: CgdmerError, unit: str | None) -> str:
    """The sentence of an error; of an unlikely amplitude, with the unit that `--unit` gave in place of millivolts.

    `unit`: None where the recording itself says it.
    """
    if unit is None or not isinstance(error, WaveformError) or error.amplitude_mv is None:
        return str(error)
    return _unlikely(error.amplitude_mv, canonical_unit(unit), " (--unit)")


def _unlikely(amplitude_mv: float, unit: str, by: str = "") -> str:
    """The sentence on an amplitude; `by`: what gave the unit."""
    lowest, highest = AMPLITUDE_MV
    given = amplitude_mv / UNITS_IN_MV[unit]
    usual_lowest, usual_highest = USUAL_AMPLITUDE_MV
    likely = [name for name, in_mv in UNITS_IN_MV.items() if usual_lowest <= given * in_mv <= usual_highest]
    advice = f'the unit is more likely "{likely[0]}"' if likely else "check gain and unit"
    return (
        f"signal given in {unit}{by} has a median peak-to-peak of {amplitude_mv:.3g} mV, expected "
        f"{lowest:g}..{highest:g} mV; {advice}"
    )
