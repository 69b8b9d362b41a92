"""Notes of finished shards: what sealing needs to know of them, kept in `.partial` until then.

Hours of work hang on them and all of it enters the seal, so they carry a hash of their own, and a conversion that
continues compares each shard with its notes. What does not agree is converted again.
"""

import json
from pathlib import Path
from typing import Any

from cgdmer_jax.data import seal
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import own_sha256, read_json
from cgdmer_jax.whole_file import write_whole

PARTIAL = ".partial"  # folder of notes; removed once the store is sealed
OWN_HASH = "sha256"


def notes_path(out: Path, shard: int) -> Path:
    """Where the notes of a finished shard lie until the store is sealed."""
    return out / PARTIAL / f"shard-{shard:06d}.json"


def write_notes(out: Path, shard: int, entry: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Marks the shard as done; `entry` is its line of the seal, `records` has one entry a row."""
    write_sealed(notes_path(out, shard), {"seal": entry, "records": records})


def read_notes(out: Path, shard: int) -> dict[str, Any]:
    """What `write_notes` wrote, or an error."""
    notes = read_sealed(notes_path(out, shard), "run the same command again: it converts that shard again")
    if notes["seal"]["file"] != seal.shard_name(shard):
        raise CgdmerError(f"{notes_path(out, shard)} belongs to another shard; run the same command again")
    return notes


def is_done(out: Path, shard: int, n_samples: int) -> bool:
    """True when the notes are whole and the shard on disk is, byte for byte, the one that they describe."""
    try:
        return read_notes(out, shard)["seal"] == seal.seal_shard(out, shard, n_samples)
    except (CgdmerError, OSError):
        return False


def write_sealed(path: Path, fields: dict[str, Any]) -> None:
    """A JSON object with its own hash."""
    write_whole(path, json.dumps(fields | {OWN_HASH: own_sha256(fields, OWN_HASH)}))


def read_sealed(path: Path, remedy: str) -> dict[str, Any]:
    """What `write_sealed` wrote, or an error that ends with the remedy."""
    fields = read_json(path, remedy=remedy)
    if not isinstance(fields, dict) or fields.get(OWN_HASH) != own_sha256(fields, OWN_HASH):
        raise CgdmerError(f"{path} is not what was written (its sha256); {remedy}")
    return fields
