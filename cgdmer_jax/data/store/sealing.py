"""Last step of a conversion: the notes of all shards become the tables, and then dataset.json with the seal."""

import shutil
from collections import Counter
from typing import Any

import numpy as np

from cgdmer_jax.data.sources.source import Source
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.remarks import copies_remarks, is_longer, longer_remarks
from cgdmer_jax.data.store.shard_notes import PARTIAL, read_notes
from cgdmer_jax.data.store.shard_writer import ShardJob
from cgdmer_jax.data.store.store import MARKS
from cgdmer_jax.data.store.store_info import N_LONGER, UNSAID, sealed_info
from cgdmer_jax.data.store.tables import write_tables
from cgdmer_jax.data.store.unfinished import task_classes
from cgdmer_jax.data.store.unread import check_before_seal
from cgdmer_jax.data.store.waves import wave_remarks
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS
from cgdmer_jax.whole_file import write_whole


def seal_store(source: Source, job: ShardJob, settings: dict[str, Any], partial: bool) -> None:
    """Writes the tables and, last, dataset.json; `partial`: whether many of the listed records may lack their files."""
    n_shards = -(-job.n_rows // job.rows_per_shard)
    notes = [read_notes(job.out, shard) for shard in range(n_shards)]
    record_notes = [note for shard in notes for note in shard["records"]]
    rejected = Counter(note["problem"] for note in record_notes if "problem" in note)
    if rejected.total() == job.n_rows:
        first = next(note["reason"] for note in record_notes)
        shutil.rmtree(job.out / PARTIAL)  # so that the next run reads the recordings again
        shutil.rmtree(job.out / seal.SIGNAL)
        raise CgdmerError(f"none of the {job.n_rows} records of {source.name} could be converted; the first: {first}")
    check_before_seal(source, record_notes, partial)
    kept_notes = [note for note in record_notes if "problem" not in note]
    extra_leads = Counter(name for note in kept_notes for name in note["extra_leads"])
    tables, n_without_text = write_tables(source, job.out, record_notes)
    info = {
        field: settings[field] for field in ("format_version", "name", "rate", "seconds", "filter", "derive_limb_leads")
    }
    info |= {
        "n_samples": job.n_samples,
        "n_rows": job.n_rows,
        "n_records": job.n_rows - rejected.total(),
        "rejected": dict(sorted(rejected.items())),
        "quality": _marked(kept_notes) | {"no_report": n_without_text},
        "extra_leads": dict(sorted(extra_leads.items())),
        "unit": "uV int16",
        "leads": list(LEADS),
        "cleaning_version": settings["cleaning_version"],
        "licence": source.licence,
        "citation": source.citation,
        "remarks": [
            *source.remarks,
            *wave_remarks(kept_notes),
            *longer_remarks(source.records, record_notes, job),
            *copies_remarks(source.records, record_notes),
        ],
        "source": {
            "rate": source.rate,
            "tables": source.tables,
            "fingerprint": settings["source_fingerprint"],
        },
        "tasks": task_classes(source),
        "seal": {
            "rows_per_shard": job.rows_per_shard,
            "tables": tables,
            "shards": [shard["seal"] for shard in notes],
        },
    }
    said = {"own_cleaning": source.own_cleaning, "windows": job.windows, "judged": list(source.judged)}
    info |= {field: value for field, value in said.items() if value and value != UNSAID.get(field)}
    if job.windows != "all":  # of all of them nothing is cut but what is too short for a record
        info[N_LONGER] = sum(map(is_longer, kept_notes))
    write_whole(job.out / seal.DATASET, sealed_info(info))


def _marked(notes: list[dict[str, Any]]) -> dict[str, int]:
    """Number of records that each quality column marks, in any lead, and that have an absent lead."""
    marked = {column: sum(bool(np.any(note[column])) for note in notes) for column in MARKS}
    return {"lead_absent": sum(not np.all(note["lead_mask"]) for note in notes)} | marked
