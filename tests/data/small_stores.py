"""Real sealed stores of a few records, converted in milliseconds, every value of them known to the tests."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.seal import ROWS_PER_SHARD
from cgdmer_jax.data.store.store_info import sealed_info
from cgdmer_jax.waveform.conditioning import LEADS

TASK = "findings"
N_SAMPLES = 120
FIRST_VALUE = 1000  # microvolts


def _recording(record: SourceRecord) -> Recording:
    """A ramp that starts at first_value + row microvolts in every lead; V6 is absent in odd rows."""
    row, first_value, rejected = record.location
    length = N_SAMPLES - row % 3
    ramp_uv = first_value + row + 10.0 * np.arange(length)
    signal_mv = np.tile(ramp_uv / 1000, (len(LEADS), 1)).astype(np.float32)
    signal_mv[slice(None) if rejected else slice(11, 11 + row % 2)] = 0.0  # a flat lead is an absent one
    return Recording(signal_mv, 100.0, LEADS, record.record_id)


def stored_uv(row: int, first_value: int = FIRST_VALUE) -> np.ndarray:
    """Microvolts that a store must hold of that row, in whole numbers; zero beyond its length and in an absent V6."""
    signal_uv = np.zeros((len(LEADS), N_SAMPLES), np.int16)
    signal_uv[: 11 if row % 2 else 12, : N_SAMPLES - row % 3] = [
        first_value + row + 10 * sample for sample in range(N_SAMPLES - row % 3)
    ]
    return signal_uv


def small_source(
    reports: list[str | None],
    *,
    name: str = "synthetic",
    first_value: int = FIRST_VALUE,
    folds: list[int] | None = None,
    rejected: tuple[int, ...] = (),
    codes: tuple[str, ...] = ("A", "B"),
    record_ids: list[str] | None = None,
) -> Source:
    """One record a report and a patient a record; record r has code r % len(codes), no codes are no task."""
    records = [
        SourceRecord(
            record_id=record_ids[row] if record_ids else f"r{row}",
            patient_id=f"p{row}",
            fold=folds[row] if folds else row % 10 + 1,
            report=report or "",
            age=None,
            sex=None,
            device=None,
            labels={TASK: (codes[row % len(codes)],)} if codes else {},
            location=(row, first_value, row in rejected),
        )
        for row, report in enumerate(reports)
    ]
    tasks = {TASK: tuple(LabelClass(code, code) for code in codes)} if codes else {}
    return Source(name, "none", "none", records, tasks, _recording, {}, 100.0)


def write_store(
    folder: Path,
    reports: list[str | None],
    *,
    rate: float = 100.0,
    n_samples: int = N_SAMPLES,
    rows_per_shard: int = ROWS_PER_SHARD,
    **what: Any,
) -> str:
    """A store of `small_source(reports, **what)`, a row a record. Returns its path."""
    source = small_source(reports, **what)
    convert(source, folder, rate=rate, seconds=n_samples / rate, progress=False, rows_per_shard=rows_per_shard)
    return str(folder)


def rewrite_info(path: str, **fields: object) -> str:
    """The same store with other values in its dataset.json, and the hash that belongs to them."""
    file = Path(path) / "dataset.json"
    file.write_text(sealed_info(json.loads(file.read_text()) | fields), encoding="utf-8")
    return path
