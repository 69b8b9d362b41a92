"""Recordings of any length to the windows that a model embeds, each with what looks wrong in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cgdmer_jax.contract import InputContract, Prepared, prepare
from cgdmer_jax.data.readers.found_records import name_of
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.quality_notes import remarks
from cgdmer_jax.waveform.windows import Split, split


@dataclass
class Rows:
    """Record and start of each row of the output, noted while the recordings are embedded."""

    record: list[str] = field(default_factory=list)
    start_s: list[float] = field(default_factory=list)
    n_windows_left_out: int = 0  # of records that have rows all the same


def usable(contract: InputContract, root: Path, paths: list[Path], which: str, rows: Rows) -> Iterator[Prepared]:
    """Windows of the records one by one, noted in the same order; says of the others why they are not."""
    for path in paths:
        name = name_of(path, root)
        try:
            recording = read_wfdb(path)
            parts = split(recording.signal_mv, recording.rate, contract.seconds, which)
        except CgdmerError as error:
            print(f"{name}: left out: {error}")
            continue
        n_before = len(rows.record)
        yield from _windows(contract, name, recording, parts, rows)
        n_used = len(rows.record) - n_before
        if n_used:
            rows.n_windows_left_out += len(parts.windows) - n_used
            if parts.passed_over:
                print(f"{name}: {parts.passed_over}")


def _windows(contract: InputContract, name: str, recording: Recording, parts: Split, rows: Rows) -> Iterator[Prepared]:
    for part in parts.windows:
        where = f"{name} from {part.start_s:g} s" if len(parts.windows) > 1 else name
        try:
            prepared = prepare(contract, part.signal, recording.rate, recording.names, "mV")
        except CgdmerError as error:
            print(f"{where}: left out: {error}")
            continue
        for what in remarks_of(prepared, recording.extra_leads if part is parts.windows[0] else ()):
            print(f"{where}: {what}")
        rows.record.append(name)
        rows.start_s.append(part.start_s)
        yield prepared


def remarks_of(prepared: Prepared, extra_leads: tuple[str, ...]) -> list[str]:
    found = remarks({"lead_absent": ~prepared.lead_mask}, {}) + prepared.remarks
    if extra_leads:
        found.append(f"none of the twelve leads, and not used: {', '.join(extra_leads)}")
    return found
