"""Reads synthetic recordings as a cardiologist would, from the signal alone; used by the tests of the generator."""

import numpy as np

from cgdmer_jax.data.synthetic.dataset import SyntheticRecords
from cgdmer_jax.waveform.conditioning import LEADS

RATE = 250
BEFORE_S, AFTER_S = 0.40, 0.50


def median_beats(made: SyntheticRecords) -> np.ndarray:
    """Median noise-free beat of every record, around its QRS onsets, [n, 12, time] mV; the PQ segment is zero.

    The median leaves out a few premature beats.
    """
    before, after = round(BEFORE_S * RATE), round(AFTER_S * RATE)
    medians = []
    for signal, onset in zip(made.clean_mv, made.onset_s, strict=True):
        at = np.round(onset * RATE).astype(int)
        at = at[(at >= before) & (at + after <= signal.shape[1])]
        medians.append(np.median([signal[:, a - before : a + after] for a in at], axis=0))
    found = np.array(medians)
    level = found[:, :, before - round(0.03 * RATE) : before - round(0.01 * RATE)].mean(axis=2, keepdims=True)
    return found - level


def window(beats: np.ndarray, lead: str, from_s: float, to_s: float) -> np.ndarray:
    """Samples of one lead between two times after the QRS onset, [n, time]."""
    first = round(BEFORE_S * RATE)
    return beats[:, LEADS.index(lead), first + round(from_s * RATE) : first + round(to_s * RATE)]


def which(made: SyntheticRecords, *, has: tuple[str, ...] = (), lacks: tuple[str, ...] = ()) -> np.ndarray:
    """Mask of the records that have all of some findings and none of others."""
    chosen = [all(c in f for c in has) and not any(c in f for c in lacks) for f in made.findings]
    return np.array(chosen)


def qrs_width(beats: np.ndarray) -> np.ndarray:
    """Seconds during which the QRS is steep: slope of the 8 independent leads over a tenth of its peak."""
    independent = [LEADS.index(lead) for lead in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]
    first = round(BEFORE_S * RATE)
    slope = np.abs(np.diff(beats[:, independent, first - 5 : first + round(0.22 * RATE)], axis=2)).sum(axis=1)
    steep = slope > 0.1 * slope.max(axis=1, keepdims=True)
    return (steep.shape[1] - steep[:, ::-1].argmax(axis=1) - steep.argmax(axis=1)) / RATE
