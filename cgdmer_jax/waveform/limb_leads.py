"""Consistency of the six limb leads: all follow from any two (Einthoven 1912, Goldberger 1942).

Leads stand in canonical order: I, II, III, aVR, aVL, aVF first.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

N_LIMB = 6
# Each limb lead as a sum of I and II.
OF_I_AND_II = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]])
V6 = 11
DISAGREE_SHARE = 0.05  # of the limb leads' median amplitude; rounding alone leaves some 0.1 % in PTB-XL
SWAPPED_BELOW = -0.5  # correlation of I and V6, which look at the left ventricle from the same side


@dataclass(frozen=True)
class Agreement:
    """Agreement of the limb leads; NaN (and no suspicion) where a lead that it needs is absent."""

    einthoven_mv: float  # root mean square of I + III - II
    goldberger_mv: float  # the largest of the three for aVR, aVL, aVF
    arms_swapped: bool  # lead I looks like V6 upside down: the arm electrodes, or dextrocardia
    disagree: bool  # a residual above DISAGREE_SHARE: exchanged lead names, or leads of other beats or filters


def einthoven_residual(signal: Float[np.ndarray, "lead time"]) -> Float[np.ndarray, "time"]:
    """I + III - II: zero but for rounding when the limb leads carry the right names."""
    return signal[0] + signal[2] - signal[1]


def goldberger_residuals(signal: Float[np.ndarray, "lead time"]) -> Float[np.ndarray, "3 time"]:
    """aVR + (I + II)/2, aVL - (I - III)/2, aVF - (II + III)/2: zero but for rounding."""
    one, two, three = signal[:3]
    return signal[3:6] - np.stack([-(one + two) / 2, (one - three) / 2, (two + three) / 2])


def agreement(
    signal_mv: Float[np.ndarray, "12 time"], absent: Bool[np.ndarray, "12"], amplitude_mv: Float[np.ndarray, "12"]
) -> Agreement:
    """Checks a recording that has no gaps in the leads present; `amplitude_mv` comes from quality.py."""
    signal_mv = np.where(absent[:, None], np.nan, signal_mv)
    einthoven_mv = np.sqrt(np.mean(einthoven_residual(signal_mv) ** 2))
    goldberger_mv = np.sqrt(np.mean(goldberger_residuals(signal_mv) ** 2, axis=1)).max()
    swapped = False
    if not absent[[0, V6]].any():
        one, six = signal_mv[[0, V6]] - np.median(signal_mv[[0, V6]], axis=1, keepdims=True)
        swapped = one @ six < SWAPPED_BELOW * np.sqrt((one @ one) * (six @ six))
    # Of the residuals that are known: without aVL, I, II and III still tell something.
    worst_mv = np.fmax(einthoven_mv, goldberger_mv)
    disagree = not np.isnan(worst_mv) and worst_mv > DISAGREE_SHARE * np.median(amplitude_mv[:N_LIMB][~absent[:N_LIMB]])
    return Agreement(float(einthoven_mv), float(goldberger_mv), bool(swapped), bool(disagree))


def derivable(absent: Bool[np.ndarray, "12"]) -> Bool[np.ndarray, "12"]:
    """The absent limb leads, when two others are there to make them from."""
    limb = np.arange(len(absent)) < N_LIMB
    return absent & limb & ((~absent & limb).sum() >= 2)


def derive(
    signal_mv: Float[np.ndarray, "12 time"], wanted: Bool[np.ndarray, "12"], absent: Bool[np.ndarray, "12"]
) -> Float[np.ndarray, "12 time"]:
    """The signal with the wanted limb leads made from all that are present (least squares, exact without noise)."""
    present = np.flatnonzero(~absent[:N_LIMB])
    made = signal_mv.copy()
    made[wanted] = OF_I_AND_II[wanted[:N_LIMB]] @ np.linalg.pinv(OF_I_AND_II[present]) @ signal_mv[present]
    return made
