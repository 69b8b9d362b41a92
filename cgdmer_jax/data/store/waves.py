"""The waves of a store (waves.parquet): P, QRS and T as somebody marked them, in samples of the store's records.

Only collections with such marks have the table. Places outside of a record's samples are where they were marked: of a
wave that the window cuts, onset and offset are no edges of the window.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cgdmer_jax.data.readers.recording import WAVES, MarkedWaves
from cgdmer_jax.data.readers.wfdb_annotations import NEAREST_WAVES
from cgdmer_jax.data.store import seal

WAVE_SCHEMA = pa.schema(
    [
        ("row", pa.int32()),  # of the signal array, in order
        ("lead", pa.int8()),  # place in the twelve leads, in order
        ("wave", pa.int8()),  # 0 = stretch in which all waves are marked, before these; 1 = P, 2 = QRS, 3 = T
        ("onset", pa.int32()),  # first sample
        ("peak", pa.int32()),  # null: of a stretch
        ("offset", pa.int32()),  # last sample
    ]
)
LINE_BYTES = 20
N_FIELDS = len(WAVE_SCHEMA) - 1  # of a line in the notes of a record


def most_wave_bytes(n_rows: int, seconds: float) -> int:
    """Bytes of a table whose waves are as near to each other as they may be, each a stretch of its own."""
    return (1 << 24) + n_rows * seal.N_LEADS * 2 * (round(seconds / NEAREST_WAVES) + 3) * LINE_BYTES


def wave_notes(waves: MarkedWaves, start_s: float, rate: float, to_rate: float, n_samples: int) -> dict[str, Any]:
    """Notes of a record: what of its waves touches the samples that begin `start_s` into the recording."""
    moved = [wave.moved(lambda sample: round((sample - start_s * rate) * to_rate / rate)) for wave in waves.waves]
    kept = [list(wave) for wave in moved if wave.offset >= 0 and wave.onset < n_samples]
    return {"lines": kept, "n_left_out": waves.n_left_out, "unread": list(waves.unread)}


def are_wave_notes(value: object) -> bool:
    """Whether these are what `wave_notes` gives."""
    if not isinstance(value, dict) or value.keys() != {"lines", "n_left_out", "unread"}:
        return False
    if not isinstance(value["lines"], list) or not isinstance(value["unread"], list):
        return False
    if type(value["n_left_out"]) is not int or not all(type(sentence) is str for sentence in value["unread"]):
        return False
    return all(isinstance(line, list) and len(line) == N_FIELDS and _fits(*line) for line in value["lines"])


def _fits(lead: object, wave: object, onset: object, peak: object, offset: object) -> bool:
    numbers = [lead, wave, onset, offset, *([] if wave == 0 and peak is None else [peak])]
    if not all(type(number) is int and abs(number) < 1 << 31 for number in numbers):
        return False
    return 0 <= lead < seal.N_LEADS and 0 <= wave < len(WAVES) and onset <= offset


def wave_table(notes: Sequence[dict[str, Any]]) -> pa.Table:
    """The table, from the notes of all rows."""
    lines = [(row, *line) for row, note in enumerate(notes) for line in note.get("waves", {}).get("lines", ())]
    columns = [*zip(*lines, strict=True)] or [()] * len(WAVE_SCHEMA)
    return pa.table(dict(zip(WAVE_SCHEMA.names, columns, strict=True)), WAVE_SCHEMA)


def wave_remarks(notes: Sequence[dict[str, Any]]) -> list[str]:
    """Sentences on how many waves the store holds, and what was left out."""
    told = [note["waves"] for note in notes if "waves" in note]
    if not told:
        return []
    counts = Counter(line[1] for of_record in told for line in of_record["lines"])
    held = ", ".join(f"{counts[number]:,} {name}" for number, name in enumerate(WAVES) if number)
    n_marked = sum(bool(of_record["lines"]) for of_record in told)
    remarks = [f"waves marked in {n_marked:,} records are in {seal.WAVES}: {held}"]
    if n_left_out := sum(of_record["n_left_out"] for of_record in told):
        remarks.append(
            f"{n_left_out:,} marks belong to no whole wave (onset, peak and offset in turn) and were left out; the "
            "samples between the waves beside them count as not annotated"
        )
    if unread := [sentence for of_record in told for sentence in of_record["unread"]]:
        remarks.append(f"the marks of {len(unread):,} leads cannot be read and were left out (the first: {unread[0]})")
    return remarks


def misfit(table: pa.Table, n_rows: int) -> str | None:
    """The reason, in words, why a table of this schema is not of a store with so many rows; None where it is."""
    if any(table.column(name).null_count for name in WAVE_SCHEMA.names if name != "peak"):
        return "lacks values"
    row, lead, wave, onset, offset = (table.column(name).to_numpy() for name in WAVE_SCHEMA.names if name != "peak")
    if np.any(np.diff(row, prepend=0, append=n_rows - 1) < 0):
        return f"names rows outside 0..{n_rows - 1} or out of order"
    if np.any((lead < 0) | (lead >= seal.N_LEADS) | (wave < 0) | (wave >= len(WAVES)) | (onset > offset)):
        return "names leads or waves that there are not"
    return None
