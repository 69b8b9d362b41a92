"""A store while it is being made: which settings it was begun with, who writes to it, what a kill left.

Its notes live in the folder `.partial`, which is gone once the store is sealed.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cgdmer_jax.data.sources.source import HINTS, Source
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.remarks import some_of
from cgdmer_jax.data.store.shard_notes import PARTIAL
from cgdmer_jax.data.store.shard_writer import ShardJob
from cgdmer_jax.data.store.store_info import UNSAID, read_info
from cgdmer_jax.data.text.cleaning import CLEANING_VERSION
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import read_json
from cgdmer_jax.sealed_json import sealed, unsealed
from cgdmer_jax.whole_file import UNFINISHED, write_whole

SETTINGS = "settings.json"  # in the .partial folder
LOCK = "lock"
FLAGS = {
    "name": "--name",
    "rate": "--rate",
    "seconds": "--seconds",
    "filter": "--filter",
    "derive_limb_leads": "--derive_limb_leads",
    "own_cleaning": "--cleaning",
    "windows": "--windows",
}  # of `convert`, by field


def settings_of(source: Source, job: ShardJob) -> dict[str, Any]:
    """Everything that decides the store's bytes, as it stands in dataset.json."""
    listing = hashlib.sha256()
    for record in source.records:
        listing.update(json.dumps(vars(record), sort_keys=True, default=str).encode())
    header = [source.name, source.rate, source.tables, task_classes(source), *source.judged]
    if source.waves:
        header.append(seal.WAVES)
    listing.update(json.dumps(header, sort_keys=True).encode())
    return {
        "format_version": seal.FORMAT_VERSION,
        "name": source.name,
        "rate": job.rate,
        "seconds": job.seconds,
        "filter": job.filter,
        "derive_limb_leads": job.derive_limb_leads,
        "cleaning_version": CLEANING_VERSION,
        "own_cleaning": source.own_cleaning,
        "windows": job.windows,
        "rows_per_shard": job.rows_per_shard,
        "source_fingerprint": listing.hexdigest(),
    }


def task_classes(source: Source) -> dict[str, list[dict[str, str]]]:
    """The tasks as dataset.json has them."""
    return {task: [asdict(label) for label in classes] for task, classes in source.tasks.items()}


def settings_of_sealed(out: Path) -> dict[str, Any]:
    """The settings of a finished store."""
    info, _ = read_info(out)
    return info | {
        "rows_per_shard": info["seal"]["rows_per_shard"],
        "source_fingerprint": info["source"]["fingerprint"],
    }


def check_same(
    out: Path,
    settings: dict[str, Any],
    found: dict[str, Any],
    tables: dict[str, str] | None = None,
    not_measured: Sequence[str] = (),
) -> None:
    """Raises when the folder was begun with other settings or from another listing of records.

    `tables`: hashes of those that this command has read, which tell what is other about a listing. `not_measured`:
    recordings whose windows it could not count.
    """
    found = UNSAID | found
    for field, value in settings.items():
        if field == "format_version" or found.get(field) == value:  # stores of every readable version are the same
            continue
        if field == "source_fingerprint":
            told = f"from another list of records{_what_differs(found.get('source'), tables)}"
            if not_measured:
                raise CgdmerError(
                    f"{out} was begun {told}, and the windows of {len(not_measured):,} recordings "
                    f"{some_of(not_measured)} cannot be counted, since they cannot be read now; if they could be then, "
                    "bring them back and run the same command again, else name another --out, or delete that folder"
                )
            if settings["windows"] == "all":
                told += " or of windows (perhaps a recording that could not be read then can be read now)"
        elif field in FLAGS:
            told = f"with {FLAGS[field]}={found.get(field)!s:.80}, this command has {value!s:.80}"
        else:
            told = f"with {field} {found.get(field)!s:.80}, this command has {value!s:.80}"
        raise CgdmerError(f"{out} was begun {told}; name another --out, or delete that folder first")


def _what_differs(source: Any, tables: dict[str, str] | None) -> str:
    """Names the tables that differ between two listings, or else the options; empty where that cannot be told."""
    if tables is None or not isinstance(source, dict):
        return ""
    theirs = source["tables"]
    changed = [
        f"{name} has changed" for name in tables if name != HINTS and name in theirs and theirs[name] != tables[name]
    ]
    changed += [f"{name} was not read" for name in sorted({*tables} - {*theirs, HINTS})]
    if theirs.get(HINTS) != tables.get(HINTS):
        changed.append("other --recording_rate, --leads or --unit")
    if HINTS in {*theirs, *tables} and not changed:
        changed.append("other --columns")
    return f" ({', '.join(changed)})" if changed else ""


@contextmanager
def unfinished_store(out: Path, settings: dict[str, Any], not_measured: Sequence[str]) -> Iterator[None]:
    """Makes or continues the folder of an unfinished store, and holds its lock; `not_measured` as in `check_same`."""
    partial = out / PARTIAL
    try:
        if out.exists() and not partial.is_dir() and any(out.iterdir()):
            raise CgdmerError(f"{out} holds files of something else than a conversion; name another --out")
        partial.mkdir(parents=True, exist_ok=True)
        lock = open(partial / LOCK, "w", opener=_without_waiting)
    except OSError as error:
        raise CgdmerError(
            f"the store cannot be written to {out} ({error.strerror}); name another --out or correct its permissions"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CgdmerError(f"another conversion is writing to {out}; wait for it or name another --out") from error
        if (partial / SETTINGS).exists():
            check_same(out, settings, _begun_settings(out), None, not_measured)
        else:
            write_whole(partial / SETTINGS, json.dumps(sealed(settings)))
        yield


def _without_waiting(name: str, flags: int) -> int:
    """Opens without waiting: a pipe that nobody reads is an OSError."""
    return os.open(name, flags | os.O_NONBLOCK, 0o666)


def _begun_settings(out: Path) -> dict[str, Any]:
    """The settings of an unfinished store; format 3 had them without a hash, and its shards are converted again."""
    remedy = f"delete {out} and run the same command again"
    path = out / PARTIAL / SETTINGS
    settings = read_json(path, remedy=remedy)
    is_old = isinstance(settings, dict) and settings.get("format_version") == 3
    return unsealed(settings, path, remedy=remedy, required=not is_old)


def check_disk_space(job: ShardJob, n_records: int) -> None:
    """Raises when the signals of that many records do not fit on the disk."""
    needed = n_records * (seal.N_LEADS * job.n_samples * 2 + 20)
    free = shutil.disk_usage(job.out).free
    if needed > free:
        raise CgdmerError(
            f"{job.out} needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; free some or name another --out"
        )


def clear_unfinished(out: Path, done: set[int]) -> None:
    """Removes shards without notes, zarr.json, which is written anew, and what a kill left between two renames."""
    keep = {seal.shard_path(out, shard) for shard in done}
    for path in (out / seal.SIGNAL).rglob("*"):
        if path not in keep and not path.is_dir():
            path.unlink()
    for path in out.rglob(f"*{UNFINISHED}"):
        path.unlink()
    for path in (out / PARTIAL).glob("shard-*.json"):
        if path.is_dir():  # nothing could be renamed into its place
            shutil.rmtree(path)
