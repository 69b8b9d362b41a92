"""A recording as every reader returns it, and the error that names one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from cgdmer_jax.errors import CgdmerError

# Why a record was refused; `.problem` of a RecordError is one of these.
RECORD_PROBLEMS = {
    "no_header": "the header file does not exist",
    "no_signal_file": "the recording's file, or one that its header names, does not exist or does not hold it",
    "unreadable": "a file is there and cannot be read (permission, disk, something else than a file)",
    "outside": "a path leads out of the collection's folder, or the samples lie in another file",
    "header": "what the file says of its samples does not follow the form",
    "multi_segment": "the recording has several segments, or pauses",
    "size": "the file announces more than 64 signals or an hour at 1 kHz",
    "rate": "the sampling rate is absent, 0, outside 50..10,000 Hz or not the collection's",
    "length": "the number of samples is not what the file holds, or it holds none, or in another shape",
    "format": "the storage format is not read, or the file is not of it",
    "gain": "the gain of a lead is absent, 0 or no number: the lead is uncalibrated",
    "unit": "the unit of a lead is absent, or not V, mV or uV",
    "lead_names": "two signals carry the name of one lead",
    "unknown_leads": "no signal carries the name of a standard lead, or none is named",
    "checksum": "the samples do not add up to the header's checksum",
}


class RecordError(CgdmerError):
    """A record that cannot be trusted, a CgdmerError; one sentence says which, where and what to do.

    `record`: its path. `field`: of the header, or what stands for it. `problem`: a key of RECORD_PROBLEMS, such as
    "checksum" or "rate".
    """

    def __init__(self, record: str, field: str, problem: str, sentence: str):
        assert problem in RECORD_PROBLEMS, problem
        super().__init__(f"record {record}: {sentence}")
        self.record, self.field, self.problem = record, field, problem
        self._sentence = sentence

    def __reduce__(self):
        # Errors cross process borders in conversion; the default would call __init__ with one argument.
        return type(self), (self.record, self.field, self.problem, self._sentence)


WAVES = ("annotated", "P", "QRS", "T")  # `Wave.wave` is a place in these
ANNOTATED = 0


class Wave(NamedTuple):
    """One wave that somebody marked in a lead, or a stretch of the lead in which all of them are marked."""

    lead: int  # place in LEADS
    wave: int  # place in WAVES
    onset: int  # sample
    peak: int | None  # None: of a stretch
    offset: int  # the last sample

    def moved(self, to: Callable[[int], int]) -> "Wave":
        """The same with its samples counted in another way."""
        peak = None if self.peak is None else to(self.peak)
        return Wave(self.lead, self.wave, to(self.onset), peak, to(self.offset))


class MarkedWaves(NamedTuple):
    """The waves of a recording, lead by lead, each stretch before its own, and what of their marks was left out."""

    waves: tuple[Wave, ...]
    n_left_out: int = 0  # marks that belong to no whole wave
    unread: tuple[str, ...] = ()  # a sentence for each lead whose marks cannot be read


@dataclass(frozen=True)
class Recording:
    """One record as a reader returns it.

    - `signal_mv`: float32 millivolts [lead, time]; NaN where nothing was measured.
    - `rate`: sampling rate in Hz.
    - `names`: lead names along the first axis, as the file spells them.
    - `path`: where it was read.
    - `extra_leads`: signals outside the twelve leads, which are not read.
    - `waves`: marks of P, QRS and T, in samples; None where the collection has none.
    - `unit_given`: of its samples, as the caller said it; None where the file says it.
    """

    signal_mv: Float32[np.ndarray, "lead time"]
    rate: float  # hertz
    names: tuple[str, ...]  # as the file spells them
    path: str
    extra_leads: tuple[str, ...] = ()  # signals outside the twelve leads, in whatever unit: not read
    waves: MarkedWaves | None = None
    unit_given: str | None = None
