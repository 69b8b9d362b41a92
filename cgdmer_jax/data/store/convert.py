"""Recordings of a collection in, a sealed store out; parallel, and continued after any interruption.

Order: shards (each with its notes, data/store/shard_writer.py), then the tables, last dataset.json with the seal.
Equal input gives equal bytes, whatever the number of processes and however often the run was killed.
"""

import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts

from cgdmer_jax.contract import MOST_SAMPLES
from cgdmer_jax.data.sources.source import OLDEST, Source, SourceRecord
from cgdmer_jax.data.sources.windows import in_windows
from cgdmer_jax.data.splits import check_patients_stay_in_one_fold
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.shard_notes import PARTIAL, is_done, read_notes
from cgdmer_jax.data.store.shard_writer import (
    ShardJob,
    convert_shard,
    convert_shard_in_worker,
    not_written,
    start_worker,
)
from cgdmer_jax.data.store.store import LONGEST_REPORT, MARKS, most_report_bytes
from cgdmer_jax.data.store.store_info import UNSAID, read_info, sealed_info
from cgdmer_jax.data.store.tables import write_tables
from cgdmer_jax.data.store.unfinished import (
    check_disk_space,
    check_same,
    clear_unfinished,
    settings_of,
    settings_of_sealed,
    task_classes,
    unfinished_store,
)
from cgdmer_jax.data.store.unread import check_before_seal, check_nothing_came_back, is_unread, readable
from cgdmer_jax.data.store.waves import wave_remarks
from cgdmer_jax.data.tables.cells import written
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.waveform.conditioning import FILTERS, LEADS
from cgdmer_jax.waveform.windows import WINDOWS
from cgdmer_jax.whole_file import write_whole

MOST_SHARD_BYTES = 1 << 32  # of samples, which each process holds of the shard that it writes


@dataclass(frozen=True)
class Summary:
    """Counts of a conversion.

    - `n_rows`: rows of the signal array. `n_records`: accepted records among them.
    - `rejected`: problem -> number of records. `quality`: mark -> number of records that have it.
    - `extra_leads`: name of a signal outside the twelve leads, which is not kept -> number of records.
    - `remarks`: sentences of the source about the collection.
    - `n_converted`: records read in this run; fewer than `n_rows` when it continued an earlier one.
    - `wall_seconds`: duration of this run in seconds.
    """

    n_rows: int
    n_records: int
    rejected: dict[str, int]
    quality: dict[str, int]
    extra_leads: dict[str, int]
    remarks: list[str]
    n_converted: int
    wall_seconds: float

    @property
    def records_per_second(self) -> float:
        """Records converted each second of this run, start-up of the workers and sealing included."""
        return self.n_converted / self.wall_seconds


def convert(
    source: Source,
    out: Path,
    *,
    rate: float | int,
    seconds: float | int = 10.0,
    filter: str = "none",
    derive_limb_leads: bool = False,
    processes: int = 1,
    progress: bool = True,
    rows_per_shard: int = seal.ROWS_PER_SHARD,
    partial: bool = False,
    windows: str = "first",
) -> Summary:
    """Converts every record of a collection into a store, or continues to do so; equal input gives equal bytes.

    - `source`: the collection, such as `SOURCES["ptbxl"](root, rate, False)` of `cgdmer_jax.data.sources`.
    - `out`: folder of the store: int16 microvolts [record, lead, time], a table of records, one of reports, and a seal.
    - `rate`: of the store in Hz. `seconds`: length of every record; shorter ones are padded, longer ones cut.
    - `filter`: "none", or a zero-phase filter in Hz, a name in `waveform.conditioning.FILTERS`.
    - `derive_limb_leads`: whether absent limb leads are made from two others.
    - `processes`: that read at the same time. `progress`: whether a bar is shown.
    - `rows_per_shard`: records of one file; only tests change it.
    - `partial`: whether many of the listed records may lack their files.
    - `windows`: of a longer recording: its "first" seconds, those at its "centre", or "all" of them, a record each.

    Records that cannot be trusted are counted by problem, not raised. Raises CgdmerError where a setting is out of
    range, where `out` holds a store of other settings, where the disk is too small, and where nothing can be read.
    """
    began = time.perf_counter()
    check_source(source)
    if windows not in WINDOWS:
        raise CgdmerError(f'there are no windows "{windows}".{suggest(windows, WINDOWS)}')
    conditioning = (float(rate), float(seconds), filter, derive_limb_leads)
    job = ShardJob(out, *conditioning, rows_per_shard, len(source.records), source.read, source.folder, windows)
    _check_settings(job, processes)
    if windows == "all":
        source = in_windows(source, seconds, progress)
        job = replace(job, n_rows=len(source.records), read=source.read)
        check_source(source)  # again, of more records with other ids
        _check_settings(job, processes)
    settings = settings_of(source, job)
    if (out / seal.DATASET).is_file():
        check_same(out, settings, settings_of_sealed(out), source.tables)
        if (out / PARTIAL).is_dir():  # the kill came between the seal and the end
            shutil.rmtree(out / PARTIAL)
        check_nothing_came_back(out, source)
        n_converted = 0
    else:
        with unfinished_store(out, settings):
            n_converted = _convert_shards(source, job, processes, progress)
            _seal(source, job, settings, partial)
        shutil.rmtree(out / PARTIAL)
    info, _ = read_info(out)
    return Summary(
        n_rows=info["n_rows"],
        n_records=info["n_records"],
        rejected=info["rejected"],
        quality=info["quality"],
        extra_leads=info["extra_leads"],
        remarks=info["remarks"],
        n_converted=n_converted,
        wall_seconds=time.perf_counter() - began,
    )


def _check_settings(job: ShardJob, processes: int) -> None:
    rate, seconds = job.rate, job.seconds
    fits = rate > 0 and seconds > 0 and rate * seconds <= MOST_SAMPLES  # False of "nan", too
    if not fits or job.n_samples < 1 or processes < 1:
        raise CgdmerError(
            f"rate {rate:g}, seconds {seconds:g} and processes {processes} must all be positive, and a record may have "
            f"{MOST_SAMPLES:,} samples a lead at most"
        )
    block = min(job.n_rows, job.rows_per_shard) * seal.N_LEADS * job.n_samples * 2
    if block > MOST_SHARD_BYTES:
        raise CgdmerError(
            f"records of {seconds:g} s at {rate:g} Hz make shards of {block / 1e9:.0f} GB, each held in memory by its "
            f"process, and at most {MOST_SHARD_BYTES / 1e9:.0f} GB are; give fewer seconds or a lower rate"
        )
    if job.filter not in FILTERS:
        raise CgdmerError(f'there is no filter "{job.filter}".{suggest(job.filter, FILTERS)}')


def check_source(source: Source) -> None:
    """Raises where the list of records is one that no store can be made of."""
    if not source.records:
        raise CgdmerError(f"source {source.name} lists no records; look whether its table is the whole one")
    record_id, count = Counter(record.record_id for record in source.records).most_common(1)[0]
    if count > 1:
        raise CgdmerError(
            f"source {source.name} lists record {record_id} {count} times; remove the repeated lines from its table"
        )
    for record in source.records:
        if not written(record.patient_id).strip():  # "nan" would be one patient of many people
            raise CgdmerError(
                f"source {source.name} lists record {record.record_id} without a patient; give a record whose patient "
                "is not known an id of its own"
            )
        if record.age is not None and not 0 <= record.age <= OLDEST:  # NaN too
            raise CgdmerError(
                f"source {source.name} gives record {record.record_id} the age {record.age}; give 0 to {OLDEST} years, "
                "or None where it is not known"
            )
    check_patients_stay_in_one_fold(
        (record.patient_id for record in source.records),
        (record.fold for record in source.records),
        source.name,
    )
    _check_reports(source)


def _check_reports(source: Source) -> None:
    """Refuses reports that no store would be read with: half its limits, since cleaning may lengthen a text."""
    distinct = {record.report: record.record_id for record in source.records}
    total, most = 0, most_report_bytes(len(source.records)) // 2
    for report, record_id in distinct.items():
        size = len(report.encode(errors="replace"))
        total += size
        if size > LONGEST_REPORT // 2:
            raise CgdmerError(
                f"the report of record {record_id} has {size} bytes, more than the {LONGEST_REPORT // 2} that one may "
                f"have; look for an unclosed quotation mark in the table of {source.name}, or shorten it"
            )
    if total > most:
        raise CgdmerError(
            f"the reports of {source.name} have {total} bytes together, more than the {most} that "
            f"{len(source.records)} records may have; shorten them"
        )


def _convert_shards(source: Source, job: ShardJob, processes: int, progress: bool) -> int:
    """Writes the shards that are not done; returns the number of records converted."""
    n_shards = -(-job.n_rows // job.rows_per_shard)
    of_shard = [source.records[s * job.rows_per_shard : (s + 1) * job.rows_per_shard] for s in range(n_shards)]
    records = {shard: lines for shard, lines in enumerate(of_shard) if not _is_done(job, shard, lines)}
    n_todo = sum(map(len, records.values()))
    check_disk_space(job, n_todo)
    clear_unfinished(job.out, set(range(n_shards)) - set(records))
    metadata = seal.array_metadata(job.n_rows, job.n_samples, job.rows_per_shard)
    try:
        ts.open(seal.array_spec(job.out) | {"metadata": metadata}, create=True, open=True).result()
    except ValueError as error:
        raise not_written(f"the array of {job.out}", error) from error
    with progress_bar(job.n_rows, "record", "convert", done=job.n_rows - n_todo, shown=progress) as bar:
        for n_done in _results(job, records, processes):
            bar.update(n_done)
    return n_todo


def _is_done(job: ShardJob, shard: int, records: list[SourceRecord]) -> bool:
    """True where the shard is whole, and no record of it can be read now that could not before."""
    if not is_done(job.out, shard, job.n_samples):
        return False
    notes = read_notes(job.out, shard)["records"]
    if len(notes) != len(records):
        return False
    return not readable(job.read, (record for record, note in zip(records, notes, strict=True) if is_unread(note)))


def _results(job: ShardJob, records: dict[int, list], processes: int) -> Iterator[int]:
    """Runs the shards in this process (one) or in spawned ones; yields the records of each finished shard."""
    if processes == 1:
        for shard, shard_records in records.items():
            yield convert_shard(job, shard, shard_records)
        return
    context = multiprocessing.get_context("spawn")  # fork and TensorStore's threads do not go together
    workers = min(processes, max(1, len(records)))
    with ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=(job,)) as pool:
        futures = [pool.submit(convert_shard_in_worker, shard, lines) for shard, lines in records.items()]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise CgdmerError(
                f"a worker of the conversion to {job.out} was killed, perhaps for lack of memory; "
                "run the same command again with fewer --processes: it continues"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _seal(source: Source, job: ShardJob, settings: dict[str, Any], partial: bool) -> None:
    """Writes the tables and, last, dataset.json."""
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
            *_longer(kept_notes, job),
            *_copies(source, record_notes),
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
    write_whole(job.out / seal.DATASET, sealed_info(info))


def _longer(notes: list[dict[str, Any]], job: ShardJob) -> list[str]:
    """A remark when recordings were cut, else none."""
    n_longer = sum(note["longer"] for note in notes)
    are, of_them = ("1 record is", "its") if n_longer == 1 else (f"{n_longer:,} records are", "their")
    kept = f"{of_them} {'central' if job.windows == 'centre' else 'first'} {job.seconds:g} s are kept"
    return [f"{are} longer than {job.seconds:g} s; {kept}"] * (n_longer > 0)


def _copies(source: Source, notes: list[dict[str, Any]]) -> list[str]:
    """A remark when the same samples train and score, as of a file that is listed under two names; else none."""
    of_samples: dict[str, SourceRecord] = {}
    pairs = []
    for record, note in zip(source.records, notes, strict=True):
        if "problem" not in note:
            first = of_samples.setdefault(note["signal_sha256"], record)
            if first.fold != record.fold:
                pairs.append((first.record_id, record.record_id))
    if not pairs:
        return []
    told = f"{len(pairs):,} records have the very samples of another one in another fold"
    return [f"{told} (such as {pairs[0][0]} and {pairs[0][1]}); give copies one patient"]


def _marked(notes: list[dict[str, Any]]) -> dict[str, int]:
    """Number of records that each quality column marks, in any lead, and that have an absent lead."""
    marked = {column: sum(bool(np.any(note[column])) for note in notes) for column in MARKS}
    return {"lead_absent": sum(not np.all(note["lead_mask"]) for note in notes)} | marked
