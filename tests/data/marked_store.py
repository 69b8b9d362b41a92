"""A real sealed store of regular beats, whose P, QRS and T are marked in every lead."""

from functools import partial
from pathlib import Path

import numpy as np

from cgdmer_jax.data.readers.recording import MarkedWaves, Recording, Wave
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.waveform.conditioning import LEADS

RATE = 100
RR_S = 0.8
WAVES = {1: (-0.22, -0.12, 0.2), 2: (-0.05, 0.05, 1.0), 3: (0.20, 0.40, 0.4)}  # onset and offset in seconds, millivolts


def _recording(seconds: float, record: SourceRecord) -> Recording:
    """Every lead has the beats of its record, in a size and with noise of its own."""
    draw = np.random.default_rng(record.location)
    n = round(seconds * RATE)
    curve, marks = np.zeros(n), []
    for beat in np.arange(draw.uniform(0, RR_S), seconds + RR_S, RR_S):
        for number, (onset_s, offset_s, height_mv) in WAVES.items():
            onset, offset = round((beat + onset_s) * RATE), round((beat + offset_s) * RATE)
            if 0 < onset and offset < n - 1:
                share = (np.arange(onset, offset + 1) - onset + 1) / (offset - onset + 2)
                curve[onset : offset + 1] = height_mv * np.sin(np.pi * share)
                marks.append((number, onset, (onset + offset) // 2, offset))
    waves = []
    for lead in range(len(LEADS)):
        waves += [Wave(lead, 0, marks[0][1], None, marks[-1][3]), *(Wave(lead, *mark) for mark in marks)]
    size = draw.uniform(0.5, 1.5, (len(LEADS), 1))
    signal_mv = size * curve + draw.normal(0, 0.01, (len(LEADS), n))
    return Recording(signal_mv.astype(np.float32), float(RATE), LEADS, "made", waves=MarkedWaves(tuple(waves)))


def marked_store(folder: Path, n_records: int = 40, seconds: float = 2.0) -> str:
    """Record r is of patient p<r> in fold r % 10 + 1. Returns its path."""
    records = [
        SourceRecord(f"r{r}", f"p{r}", r % 10 + 1, "", None, None, None, {"task": ("A",)}, r) for r in range(n_records)
    ]
    tasks = {"task": (LabelClass("A", "a"),)}
    read = partial(_recording, seconds)
    source = Source("ludb", "none", "none", records, tasks, read, {}, float(RATE), waves=True)
    convert(source, folder, rate=RATE, seconds=seconds, progress=False)
    return str(folder)
