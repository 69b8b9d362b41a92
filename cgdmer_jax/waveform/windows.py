"""Recordings longer than the encoder's window: the first seconds, the central ones, or all of them in turn."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.waveform.conditioning import SHORTEST_SECONDS

WINDOWS = ("first", "all", "centre")


class Window(NamedTuple):
    """One stretch of a recording."""

    start_s: float
    signal: Shaped[np.ndarray, "lead time"]


class Split(NamedTuple):
    """A recording in windows, and in words what of it none of them holds (None: nothing)."""

    windows: list[Window]
    passed_over: str | None


def split(
    signal: Shaped[np.ndarray, "lead time"], rate: float | int, seconds: float | int, which: str = "first"
) -> Split:
    """Windows of `seconds`; of `all`, the last may be shorter, down to what is accepted as a recording."""
    length, size = signal.shape[-1], max(1, round(seconds * rate))
    starts = starts_of(length, rate, seconds, which)
    if length <= size:
        words = None
    elif which == "all":
        rest = length - starts[-1] - size
        words = f"its last {rest / rate:g} s are too short for a window and are not used" if rest > 0 else None
    else:
        place = "first" if which == "first" else "central"
        words = f"its {place} {seconds:g} of {length / rate:g} s are used"
    return Split([Window(start / rate, signal[..., start : start + size]) for start in starts], words)


def starts_of(length: int, rate: float | int, seconds: float | int, which: str) -> list[int]:
    """Sample at which each window begins, in a recording of `length` samples."""
    if which not in WINDOWS:
        raise CgdmerError(f'there are no windows "{which}".{suggest(str(which), WINDOWS)}')
    size = max(1, round(seconds * rate))
    if length <= size or which == "first":
        return [0]
    if which == "centre":
        return [(length - size) // 2]
    return [start for start in range(0, length, size) if length - start >= SHORTEST_SECONDS * rate]
