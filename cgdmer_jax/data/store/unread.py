"""Recordings that could not be read: a fault of the record only while the rest of its collection is there.

A disk that is unmounted during a conversion must not become a loss for good. So, of records without files:
- a shard in which they occur looks whether the folder is there and whether what it read before still can be read;
- a store is not sealed while one of them can be read after all, nor, unless the collection is said to be partial, when
  they pile up (`most_unread`);
- the next run of the same command tries every one of them again, also those of a sealed store.
"""

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.store_info import read_info
from cgdmer_jax.errors import CgdmerError

UNREAD = ("no_header", "no_signal_file", "unreadable", "outside")  # problems that say nothing about a recording

Read = Callable[[SourceRecord], Recording]
Note = dict[str, Any]  # of shard_writer


def check_still_there(folder: Path | None, read: Read, records: Sequence[SourceRecord], notes: Sequence[Note]) -> None:
    """Raises when records have no files because their folder went away, or what was read before did."""
    if not any(is_unread(note) for note in notes):
        return
    was_read = [record for record, note in zip(records, notes, strict=True) if "problem" not in note]
    gone = folder is not None and not os.path.isdir(folder)
    if gone or (was_read and not can_be_read(read, was_read[-1])):
        where = "the recordings" if folder is None else str(folder)
        raise CgdmerError(
            f"{where} went away while they were read; bring them back and run the same command again: it continues"
        )


def check_before_seal(source: Source, notes: Sequence[Note], partial: bool) -> None:
    """Raises when the records without files are not to be taken for lost: see above."""
    check_still_there(source.folder, source.read, source.records, notes)
    unread = [(record, note) for record, note in zip(source.records, notes, strict=True) if is_unread(note)]
    back = readable(source.read, (record for record, _ in unread))
    if back:
        raise CgdmerError(
            f"{len(back)} record(s) of {source.name} could not be read at first and can be read now (the first: "
            f"{back[0].record_id}); run the same command again: it reads them"
        )
    if not partial and len(unread) > most_unread(len(notes)):
        raise CgdmerError(
            f"{len(unread):,} of the {len(notes):,} records of {source.name} could not be read, so nothing was sealed "
            f"(the first: {unread[0][1]['reason']}); bring the files back and run the same command again, or add "
            "--partial if the folder holds a part of the collection"
        )


def most_unread(n_records: int) -> float | int:
    """Number that may be lost one by one: 1 % of many, 10 of some hundreds, a tenth of fewer, and one of any number."""
    return max(1, min(10, n_records / 10), n_records / 100)


def check_nothing_came_back(out: Path, source: Source) -> None:
    """Raises when a sealed store lacks records that can be read now."""
    rows = [int(line["row"]) for line in rejected_lines(out) if line["problem"] in UNREAD]
    back = readable(source.read, (source.records[row] for row in rows))
    if back:
        raise CgdmerError(
            f"{out} was sealed without {len(back)} record(s) that can be read now (the first: {back[0].record_id}); "
            "delete that folder and run the same command again, or name another --out"
        )


def rejected_lines(out: Path) -> list[dict[str, str]]:
    """Lines of a sealed store's rejected.csv: row, record_id, problem, reason."""
    info, _ = read_info(out)
    return [*csv.DictReader(io.StringIO(seal.table_bytes(out, info, seal.REJECTED).decode(), newline=""))]


def is_unread(note: Note) -> bool:
    """True of a record whose files were not there or could not be opened."""
    return note.get("problem") in UNREAD


def readable(read: Read, records: Iterable[SourceRecord]) -> list[SourceRecord]:
    """Those whose files are there now."""
    return [record for record in records if can_be_read(read, record)]


def can_be_read(read: Read, record: SourceRecord) -> bool:
    """True where the files can be opened, whatever is wrong in them."""
    try:
        read(record)
    except RecordError as error:
        return error.problem not in UNREAD
    return True
