"""P, QRS and T of a lead: from a class for each sample to waves with onset and offset, by the rules of scoring.

A class is 0 none, 1 P, 2 QRS, 3 T, as in the record column `waves`, which also has -1 for not annotated.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from cgdmer_jax.waveform.lead_names import LEADS

WAVES = {"P": 1, "QRS": 2, "T": 3}  # by name
LEAST_MS = {"P": 40.0, "QRS": 40.0, "T": 80.0}  # shorter waves are taken for noise
MERGED_MS = 40.0  # shorter gaps within a wave are taken for noise

Classes = Int[np.ndarray, " time"]


@dataclass(frozen=True)
class FoundWave:
    """One wave of one lead. `kind`: "P", "QRS" or "T". `onset_s`, `offset_s`: its first and last sample, in seconds
    from the beginning of the recording.
    """

    kind: str
    onset_s: float
    offset_s: float


def runs(classes: Classes, wave: int) -> Int[np.ndarray, "run 2"]:
    """First and last sample of each stretch of that class."""
    inside = np.concatenate([[False], classes == wave, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    return edges - [0, 1]


def cleaned(classes: Classes, rate: float | int) -> Classes:
    """Without gaps of up to MERGED_MS between samples of one wave, then without waves shorter than LEAST_MS."""
    classes = classes.copy()
    for first, last in runs(classes, 0):
        inner = 0 < first and last + 1 < len(classes) and classes[first - 1] == classes[last + 1]
        if inner and (last - first + 1) * 1000 <= MERGED_MS * rate:
            classes[first : last + 1] = classes[first - 1]
    for name, wave in WAVES.items():
        for first, last in runs(classes, wave):
            if (last - first + 1) * 1000 < LEAST_MS[name] * rate:
                classes[first : last + 1] = 0
    return classes


def waves_by_lead(
    classes: Int[np.ndarray, "12 time"], lead_mask: Bool[np.ndarray, "12"], rate: float | int, start_s: float = 0.0
) -> dict[str, list[FoundWave]]:
    """Waves of each present lead in order of time; `start_s`: of the first sample in the recording, in seconds."""
    return {
        lead: _waves_of(own, rate, start_s) for lead, own, there in zip(LEADS, classes, lead_mask, strict=True) if there
    }


def _waves_of(classes: Classes, rate: float | int, start_s: float) -> list[FoundWave]:
    classes = cleaned(classes, rate)
    found = [
        FoundWave(name, start_s + first / rate, start_s + last / rate)
        for name, wave in WAVES.items()
        for first, last in runs(classes, wave).tolist()
    ]
    return sorted(found, key=lambda one: one.onset_s)
