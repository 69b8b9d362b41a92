"""Recordings of a collection in, a sealed store out; parallel, and continued after any interruption.

Order: shards (each with its notes, data/store/shard_writer.py), then the tables, last dataset.json with the seal.
Equal input gives equal bytes, whatever the number of processes and however often the run was killed.
"""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import tensorstore as ts

from cgdmer_jax.contract import MOST_SAMPLES
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.listing import check_source
from cgdmer_jax.data.store.sealing import seal_store
from cgdmer_jax.data.store.shard_notes import PARTIAL, is_done, read_notes
from cgdmer_jax.data.store.shard_writer import ShardJob, convert_shard, not_written
from cgdmer_jax.data.store.store_info import read_info
from cgdmer_jax.data.store.unfinished import (
    check_disk_space,
    check_same,
    clear_unfinished,
    settings_of,
    settings_of_sealed,
    unfinished_store,
)
from cgdmer_jax.data.store.unread import check_nothing_came_back, is_unread, readable
from cgdmer_jax.data.store.windows import in_windows, unmeasured
from cgdmer_jax.data.store.workers import results
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.waveform.conditioning import FILTERS
from cgdmer_jax.waveform.windows import WINDOWS

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
        source = in_windows(source, seconds, processes, out, progress)
        job = replace(job, n_rows=len(source.records), read=source.read)
        check_source(source)  # again, of more records with other ids
        _check_settings(job, processes)
    settings, not_measured = settings_of(source, job), unmeasured(source.records)
    if (out / seal.DATASET).is_file():
        check_same(out, settings, settings_of_sealed(out), source.tables, not_measured)
        if (out / PARTIAL).is_dir():  # the kill came between the seal and the end
            shutil.rmtree(out / PARTIAL)
        check_nothing_came_back(out, source)
        n_converted = 0
    else:
        with unfinished_store(out, settings, not_measured):
            n_converted = _convert_shards(source, job, processes, progress)
            seal_store(source, job, settings, partial)
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
        for n_done in results(convert_shard, job, [*records.items()], processes, job.out):
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
