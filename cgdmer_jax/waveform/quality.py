"""Quality of each lead by itself, and whether it counts as recorded at all.

See docs/design.md, "Absent is not zero".
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

ABSENT_SHARE = 0.05
FLAGGED_SHARE = 0.001
FLAT_WIDTH_MV = 0.004  # one value +-2 uV
LARGEST_MV = 32.767  # what int16 microvolts hold
PLAUSIBLE_MV = (0.03, 10.0)  # where the amplitude of a lead of a living heart lies
AMPLITUDE_SHARES = (0.005, 0.995)  # single samples are no amplitude; a QRS complex takes some 8 % of the time


@dataclass(frozen=True)
class LeadQuality:
    """Findings in each lead; shares are of the samples examined."""

    absent: Bool[np.ndarray, "lead"]
    flagged: Bool[np.ndarray, "lead"]  # kept, yet 0.1 to 5 % is missing or clipped, or a sample is held
    nan_share: Float[np.ndarray, "lead"]
    flat_share: Float[np.ndarray, "lead"]  # most samples within one window of +-2 uV
    clipped_share: Float[np.ndarray, "lead"]
    amplitude_mv: Float[np.ndarray, "lead"]  # from the 0.5th to the 99.5th percentile; NaN where nothing was measured
    implausible: Bool[np.ndarray, "lead"]  # kept, yet its amplitude lies outside PLAUSIBLE_MV


def lead_quality(signal_mv: Float[np.ndarray, "lead time"]) -> LeadQuality:
    """Absent: over 5 % without measurement, over 95 % at one value, or over 5 % clipped."""
    leads, samples = signal_mv.shape
    nan = np.isnan(signal_mv)
    nan_share = nan.mean(axis=1)
    flat_share = np.zeros(leads)
    clipped_share = np.zeros(leads)
    amplitude_mv = np.full(leads, np.nan)
    for lead in np.flatnonzero(~nan.all(axis=1)):
        values = signal_mv[lead]
        ordered = np.sort(values[~nan[lead]])
        low, high = (ordered[round(share * (len(ordered) - 1))] for share in AMPLITUDE_SHARES)
        amplitude_mv[lead] = high - low
        flat_share[lead] = _largest_window(ordered) / samples
        clipped_share[lead] = _clipped(values).mean()
    flat = flat_share > (1 - ABSENT_SHARE) * (1 - nan_share)
    absent = (nan_share > ABSENT_SHARE) | flat | (clipped_share > ABSENT_SHARE)
    cut = (np.abs(signal_mv) > LARGEST_MV).any(axis=1)  # even one sample is changed by storing it
    flagged = ~absent & ((nan_share >= FLAGGED_SHARE) | (clipped_share >= FLAGGED_SHARE) | cut)
    lowest, highest = PLAUSIBLE_MV
    implausible = ~absent & ((amplitude_mv < lowest) | (amplitude_mv > highest))
    return LeadQuality(absent, flagged, nan_share, flat_share, clipped_share, amplitude_mv, implausible)


def _largest_window(ordered_mv: Float[np.ndarray, "time"]) -> int:
    """The most samples that any window of FLAT_WIDTH_MV holds, by halving: one of n samples holds one of n - 1."""
    # A thousandth of a microvolt of slack: float32 cannot hold 4 uV steps exactly.
    upper_mv = ordered_mv + np.float32(FLAT_WIDTH_MV + 1e-6)
    fits, too_many = 1, len(ordered_mv) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if (ordered_mv[middle - 1 :] <= upper_mv[: len(upper_mv) - middle + 1]).any():
            fits = middle
        else:
            too_many = middle
    return fits


def _clipped(values_mv: Float[np.ndarray, "time"]) -> Bool[np.ndarray, "time"]:
    """Samples beyond what int16 microvolts hold, or on a plateau (>= 2 neighbours) at the lead's extreme.

    Alone, the largest sample is a peak: only neighbours that share it are the mark of a converter's rail.
    """
    clipped = np.abs(values_mv) > LARGEST_MV
    for extreme in (np.nanmin(values_mv), np.nanmax(values_mv)):
        here = values_mv == extreme
        pair = here[1:] & here[:-1]
        clipped[1:] |= pair
        clipped[:-1] |= pair
    return clipped
