"""Waves that somebody marked in a WFDB record: onset, peak and offset of P, QRS and T, an annotation file a lead.

The form is that of annot(5), MIT's. Of what such a file may hold, the marks "(", ")", "p", "N" and "t" are read.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cgdmer_jax import git_lfs
from cgdmer_jax.data.readers.record_files import beside, open_record_file, refuse_pointer
from cgdmer_jax.data.readers.recording import ANNOTATED, MarkedWaves, RecordError, Wave
from cgdmer_jax.waveform.lead_names import LEADS

MOST_BYTES = 1 << 20
NEAREST_WAVES = 0.01  # seconds from the offset of a wave to that of the next; bounds their number
_MARKS = {1: "N", 24: "p", 27: "t", 39: "(", 40: ")"}
_SKIP, _NUMBER, _SUBTYPE, _CHANNEL, _TEXT = 59, 60, 61, 62, 63  # words that are no annotation of their own
_CLOCK = b"## time resolution"  # begins a text that gives the file a rate of its own
_WHOLE = re.compile(r"\(([pNt])\)")
_WAVES = {"p": 1, "N": 2, "t": 3}


def read_waves(
    path: Path, endings: Mapping[str, str], rate: float, length: int, root: Path | None = None
) -> MarkedWaves:
    """The waves of the record `path`, which has `length` samples a lead; `endings`: lead -> ending of its file.

    A file that is missing or damaged costs the waves of its lead alone. A lead counts as annotated from the first onset
    to the last offset of waves that follow each other; what lies beside a mark that belongs to no whole wave does not.
    """
    waves, unread, n_left_out = [], [], 0
    for lead, ending in endings.items():
        try:
            found, n_marks = _waves_of(path, LEADS.index(lead), ending, rate, length, root)
        except RecordError as error:
            unread.append(str(error).replace(f"{path.parent}/", ""))  # the same from any folder
            continue
        waves += found
        n_left_out += n_marks
    return MarkedWaves(tuple(waves), n_left_out, tuple(unread))


def read_marks(path: Path, ending: str, root: Path | None = None) -> list[tuple[int, str]]:
    """Sample and letter of every mark of a wave in the file, in its order. Raises RecordError where it is damaged."""
    file = beside(path.parent, f"{path.name}.{ending}")
    with open_record_file(path, file, "no_signal_file", root) as opened:
        if os.fstat(opened.fileno()).st_size > MOST_BYTES:
            raise _damaged(path, file, f"exceeds {MOST_BYTES:,} bytes", "size")
        content = opened.read(MOST_BYTES)
    refuse_pointer(path, file, "no_signal_file", content[: git_lfs.MOST_BYTES])
    words = np.frombuffer(content[: len(content) // 2 * 2], "<u2").tolist()
    marks, sample, place = [], 0, 0
    while place < len(words):
        code, value = words[place] >> 10, words[place] & 1023
        place += 1
        if code == value == 0:
            if place * 2 != len(content):
                raise _damaged(path, file, "goes on after the mark of its end")
            return marks
        if code == _SKIP:
            high, low, *_ = [*words[place : place + 2], 0, 0]
            sample += (high << 16 | low) - (high >> 15 << 32)
            place += 2
        elif code == _TEXT:
            if content[place * 2 :].startswith(_CLOCK):
                raise _damaged(path, file, "counts in samples of another rate than the recording's")
            place += -(-value // 2)
        elif code not in (_NUMBER, _SUBTYPE, _CHANNEL):
            sample += value
            if code in _MARKS:
                marks.append((sample, _MARKS[code]))
    raise _damaged(path, file, "ends before the mark of its end")


def _waves_of(
    path: Path, lead: int, ending: str, rate: float, length: int, root: Path | None
) -> tuple[list[Wave], int]:
    """Waves of one lead, each stretch before its own, and the number of marks that belong to none."""
    marks = read_marks(path, ending, root)
    samples = [sample for sample, _ in marks]
    file = path.with_name(f"{path.name}.{ending}")
    if samples != sorted(samples):
        raise _damaged(path, file, "has marks out of order")
    if samples and not 0 <= samples[0] <= samples[-1] < length:
        raise _damaged(path, file, f"has marks outside of the {length:,} samples of its recording")
    found = [*_WHOLE.finditer("".join(letter for _, letter in marks))]
    if np.any(np.diff([samples[one.end() - 1] for one in found]) < NEAREST_WAVES * rate):
        raise _damaged(path, file, f"has two waves within {NEAREST_WAVES * 1000:g} ms")
    runs: list[list[Wave]] = []
    end = None
    for one in found:
        if one.start() != end:
            runs.append([])
        end = one.end()
        runs[-1].append(Wave(lead, _WAVES[one[1]], *samples[one.start() : end]))
    waves = [wave for run in runs for wave in (Wave(lead, ANNOTATED, run[0].onset, None, run[-1].offset), *run)]
    return waves, len(marks) - 3 * len(found)


def _damaged(path: Path, file: Path, what: str, problem: str = "format") -> RecordError:
    return RecordError(str(path), "annotation", problem, f"{file} {what}; fetch the annotation again")
