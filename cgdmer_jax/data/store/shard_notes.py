"""Notes of finished shards: what sealing needs to know of them, kept in `.partial` until then.

Hours of work hang on them and all of it enters the seal, so they carry a hash of their own, and a conversion that
continues compares each shard with its notes. What does not agree is converted again.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.waves import are_wave_notes
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.whole_file import write_whole

_PER_LEAD_BOOLS = "lead_mask lead_flagged lead_implausible lead_derived".split()
_PER_LEAD_NUMBERS = "nan_share flat_share clipped_share amplitude_mv".split()
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
    for number, record in enumerate(notes["records"]):
        if not _is_note(record):
            raise CgdmerError(f"{notes_path(out, shard)} does not tell what became of record {number}; {remedy}")
    if notes["seal"].get("file") != seal.shard_name(shard):
        raise CgdmerError(f"{notes_path(out, shard)} belongs to another shard; run the same command again")
    return notes


def _is_note(note: object) -> bool:
    """Whether these are notes of one record, each of the type that the tables of the store have for it."""
    if not isinstance(note, dict):
        return False
    if "problem" in note:
        return note.keys() == {"problem", "reason"} and all(type(value) is str for value in note.values())
    if note.keys() - {"waves"} != _FITS.keys() or ("waves" in note and not are_wave_notes(note["waves"])):
        return False
    return all(fits(note[name]) for name, fits in _FITS.items())


def _is_bool(value: object) -> bool:
    return type(value) is bool


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _is_number_or_null(value: object) -> bool:
    return value is None or (type(value) is float and abs(value) < 1e30)  # False of NaN too


def _each(fits: Callable[[object], bool], n: int | None = None) -> Callable[[object], bool]:
    """A list, of `n` values or of any number, each of which fits."""
    return lambda value: isinstance(value, list) and (n is None or len(value) == n) and all(map(fits, value))


_FITS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_PER_LEAD_BOOLS, _each(_is_bool, seal.N_LEADS)),
    **dict.fromkeys(_PER_LEAD_NUMBERS, _each(_is_number_or_null, seal.N_LEADS)),
    **dict.fromkeys(("einthoven_mv", "goldberger_mv"), _is_number_or_null),
    **dict.fromkeys(("arms_swapped", "limb_leads_disagree", "longer"), _is_bool),
    **dict.fromkeys(("samples_filled", "valid_length"), _is_count),
    "signal_sha256": _is_text,
    "extra_leads": _each(_is_text),
}


def is_done(out: Path, shard: int, n_samples: int) -> bool:
    """True when the notes are whole and the shard on disk is, byte for byte, the one that they describe."""
    try:
        return read_notes(out, shard)["seal"] == seal.seal_shard(out, shard, n_samples)
    except (CgdmerError, OSError):
        return False
