"""A recording as every reader returns it, and the error that names one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from cgdmer_jax.errors import CgdmerError

# Why a record was refused; `.problem` of a RecordError is one of these.
RECORD_PROBLEMS = {
    "no_header": "the header file does not exist",
    "no_signal_file": "a signal file that the header names does not exist",
    "unreadable": "a file is there and cannot be read (permission, disk, something else than a file)",
    "outside": "a path leads out of the collection's folder",
    "header": "the header does not follow the WFDB form",
    "multi_segment": "the header lists other records instead of signals",
    "size": "the header announces more than 64 signals or an hour at 1 kHz",
    "rate": "the sampling rate is absent, 0, outside 50..10,000 Hz or not the collection's",
    "length": "the number of samples is not what the signal file holds, or the file holds none",
    "format": "the storage format is not read, or the signal file is not of it",
    "gain": "the gain of a lead is absent, 0 or no number: the lead is uncalibrated",
    "unit": "the unit of a lead is not V, mV or uV",
    "lead_names": "two signals carry the name of one lead",
    "unknown_leads": "no signal carries the name of a standard lead",
    "checksum": "the samples do not add up to the header's checksum",
}


class RecordError(CgdmerError):
    """A record that cannot be trusted, a CgdmerError; one sentence says which, where and what to do.

    `record`: its path. `field`: the header field. `problem`: a key of RECORD_PROBLEMS, such as "checksum" or "rate".
    """

    def __init__(self, record: str, field: str, problem: str, sentence: str):
        assert problem in RECORD_PROBLEMS, problem
        super().__init__(f"record {record}: {sentence}")
        self.record, self.field, self.problem = record, field, problem
        self._sentence = sentence

    def __reduce__(self):
        # Errors cross process borders in conversion; the default would call __init__ with one argument.
        return type(self), (self.record, self.field, self.problem, self._sentence)


@dataclass(frozen=True)
class Recording:
    """One record as a reader returns it.

    - `signal_mv`: float32 millivolts [lead, time]; NaN where nothing was measured.
    - `rate`: sampling rate in Hz.
    - `names`: lead names along the first axis, as the header spells them.
    - `path`: where it was read.
    - `extra_leads`: signals outside the twelve leads, which are not read.
    """

    signal_mv: Float32[np.ndarray, "lead time"]
    rate: float  # hertz
    names: tuple[str, ...]  # as the header spells them
    path: str
    extra_leads: tuple[str, ...] = ()  # signals outside the twelve leads, in whatever unit: not read
