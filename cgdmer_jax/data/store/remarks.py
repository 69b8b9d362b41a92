"""Sentences about a whole conversion: recordings that were cut, and samples that stand in two folds."""

from collections.abc import Sequence
from typing import Any

from cgdmer_jax.data.sources.source import SourceRecord
from cgdmer_jax.data.store.shard_writer import ShardJob

N_NAMED = 3  # of the records that a sentence is about


def some_of(ids: Sequence[str]) -> str:
    """The first few ids, in brackets."""
    such_as = "such as " if len(ids) > N_NAMED else ""
    return f"({such_as}{', '.join(ids[:N_NAMED])})"


def longer_remarks(records: Sequence[SourceRecord], notes: Sequence[dict[str, Any]], job: ShardJob) -> list[str]:
    """A sentence when recordings were cut, else none."""
    ids = [record.record_id for record, note in zip(records, notes, strict=True) if is_longer(note)]
    are, of_them = ("1 record is", "its") if len(ids) == 1 else (f"{len(ids):,} records are", "their")
    kept = f"{of_them} {'central' if job.windows == 'centre' else 'first'} {job.seconds:g} s are kept"
    return [f"{are} longer than {job.seconds:g} s {some_of(ids)}; {kept}"] * bool(ids)


def is_longer(note: dict[str, Any]) -> bool:
    """Whether the notes of a record say that its recording was cut."""
    return note.get("longer", False)


def copies_remarks(records: Sequence[SourceRecord], notes: Sequence[dict[str, Any]]) -> list[str]:
    """A sentence when the same samples train and score, as of a file that is listed under two names; else none."""
    of_samples: dict[str, SourceRecord] = {}
    pairs = []
    for record, note in zip(records, notes, strict=True):
        if "problem" not in note:
            first = of_samples.setdefault(note["signal_sha256"], record)
            if first.fold != record.fold:
                pairs.append((first.record_id, record.record_id))
    if not pairs:
        return []
    told = f"{len(pairs):,} records have the very samples of another one in another fold"
    return [f"{told} (such as {pairs[0][0]} and {pairs[0][1]}); give copies one patient"]
