"""Notes of finished shards: what sealing needs to know of them, kept in `.partial` until then.

Hours of work hang on them and all of it enters the seal, so they carry a hash of their own, and a conversion that
continues compares each shard with its notes. What does not agree is converted again.
"""

import json
from pathlib import Path
from typing import Any

from cgdmer_jax.data.store import seal
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.whole_file import write_whole

PARTIAL = ".partial"  # folder of notes; removed once the store is sealed


def notes_path(out: Path, shard: int) -> Path:
    """Path of a finished shard's notes until the store is sealed."""
    return out / PARTIAL / f"shard-{shard:06d}.json"


def write_notes(out: Path, shard: int, entry: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Marks the shard as done; `entry` is its line of the seal, `records` has one entry a row."""
    write_whole(notes_path(out, shard), json.dumps(sealed({"seal": entry, "records": records})))


def read_notes(out: Path, shard: int) -> dict[str, Any]:
    """Notes that `write_notes` wrote; damaged ones raise."""
    remedy = "run the same command again: it converts that shard again"
    notes = read_sealed(notes_path(out, shard), remedy=remedy, required=True)
    if (
        notes.keys() != {"seal", "records"}
        or not isinstance(notes["seal"], dict)
        or not isinstance(notes["records"], list)
    ):
        raise CgdmerError(f"{notes_path(out, shard)} holds something else than a shard's notes; {remedy}")
    if notes["seal"].get("file") != seal.shard_name(shard):
        raise CgdmerError(f"{notes_path(out, shard)} belongs to another shard; run the same command again")
    return notes


def is_done(out: Path, shard: int, n_samples: int) -> bool:
    """True when the notes are whole and the shard on disk is, byte for byte, the one that they describe."""
    try:
        return read_notes(out, shard)["seal"] == seal.seal_shard(out, shard, n_samples)
    except (CgdmerError, OSError):
        return False
