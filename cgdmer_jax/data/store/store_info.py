"""dataset.json of a store: read, compared with its own hash, and checked field by field (docs/design.md, "Store").

Format 4 holds the sha256 of everything else in it. Format 3, which did not, still opens; of its fields only what
contradicts itself can be noticed.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cgdmer_jax.contract import UNIT
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.shard_notes import PARTIAL
from cgdmer_jax.data.text.own_cleaning import check_rules
from cgdmer_jax.errors import CgdmerError, near_path
from cgdmer_jax.json_file import read_json
from cgdmer_jax.sealed_json import SEAL, sealed, unsealed
from cgdmer_jax.waveform.conditioning import FILTERS, LEADS

_REMEDY = "copy the store again from where it was whole, or delete it and convert again"
_FILE = {"file": str, "bytes": int, "sha256": str}
# The shape of every field: [shape] is a list of such, {str: shape} names of one's own, other dicts fixed names.
_FIELDS = {
    "name": str,
    "rate": float,
    "seconds": float,
    "n_samples": int,
    "n_rows": int,
    "n_records": int,
    "rejected": {str: int},
    "quality": {str: int},
    "extra_leads": {str: int},
    "unit": str,
    "leads": [str],
    "filter": str,
    "derive_limb_leads": bool,
    "cleaning_version": int,
    "licence": str,
    "citation": str,
    "remarks": [str],
    "source": {"tables": {str: str}, "fingerprint": str},
    "tasks": {str: [{"code": str, "name": str}]},
    "seal": {
        "rows_per_shard": int,
        "tables": [_FILE | {"lines": int}],
        "shards": [_FILE | {"first_record_crc32c": str}],
    },
}
N_LONGER = "n_longer"
# Fields that a store has only where there is something to say: cleaning rules of its own (data/text/own_cleaning.py),
# which window of a longer recording is kept where it is not the first, the tasks in which a record without a label was
# judged to be of none of the classes, and, where one window is kept, the number of recordings that were longer.
OPTIONAL = {"own_cleaning": str, "windows": str, "judged": [str], N_LONGER: int}
UNSAID = {"windows": "first"}
_UNTELLING = ("remarks", N_LONGER)  # of what is not in the store


def read_info(path: Path) -> tuple[dict[str, Any], str]:
    """dataset.json and the store's fingerprint."""
    if not path.is_dir():
        raise CgdmerError(
            f"there is no store at {path}; make it with python -m experiments.convert --source=COLLECTION --out={path}"
            f"{near_path(path)}"
        )
    if not (path / seal.DATASET).is_file():
        if not (path / PARTIAL).is_dir() and not (path / seal.SIGNAL).is_dir():
            raise CgdmerError(
                f"{path} is no store (it has no {seal.DATASET}); give the folder that experiments.convert wrote (--out)"
            )
        raise CgdmerError(
            f"store {path} has no {seal.DATASET}: its conversion was not finished; run the same command again"
        )
    file = seal.inside(path, seal.DATASET)
    info = read_json(file, remedy=_REMEDY)
    version = info.get("format_version") if isinstance(info, dict) else None
    if version not in seal.READABLE_VERSIONS:
        raise CgdmerError(
            f"store {path} has format version {str(version)[:40]}, this program reads "
            f"{' and '.join(map(str, seal.READABLE_VERSIONS))}; "
            "convert its source again with this program, or use the version that made it"
        )
    needed = _FIELDS.keys() | ({SEAL} if version == seal.FORMAT_VERSION else set())
    if missing := needed - info.keys():
        raise CgdmerError(f"{file} lacks {', '.join(sorted(missing))}; {_REMEDY}")
    if version == 3 and SEAL in info:  # one bit of the version
        raise CgdmerError(f"{file} differs from what was written (sha256); {_REMEDY}")
    info = unsealed(info, file, remedy=_REMEDY)
    if problem := next(_problems(info), None):
        raise CgdmerError(f"{file} cannot be right: {problem}; {_REMEDY}")
    if "own_cleaning" in info:
        check_rules(info["own_cleaning"], f"{file}: own_cleaning")
    return info, _fingerprint(info)


def sealed_info(info: dict[str, Any]) -> str:
    """Text of dataset.json with its own hash."""
    return json.dumps(sealed(info), indent=1, ensure_ascii=False)


def _fingerprint(info: dict[str, Any]) -> str:
    """sha256 of everything in dataset.json that says what is in the store, and not of what was left out.

    The version counts as 3: the hash that 4 added says nothing about the records, and equal ones have one fingerprint.
    """
    telling = {field: value for field, value in info.items() if field not in _UNTELLING}
    return hashlib.sha256(json.dumps(telling | {"format_version": 3}, sort_keys=True).encode()).hexdigest()


def _problems(info: dict[str, Any]) -> Iterator[str]:
    for field, shape in (_FIELDS | {name: shape for name, shape in OPTIONAL.items() if name in info}).items():
        yield from _misfits(info[field], shape, field)
    for field, value, known in (
        ("unit", info["unit"], [UNIT]),
        ("leads", info["leads"], [list(LEADS)]),
        ("filter", info["filter"], FILTERS),
        ("n_samples", info["n_samples"], [round(info["rate"] * info["seconds"])]),
        ("n_records", info["n_records"], [info["n_rows"] - sum(info["rejected"].values())]),
    ):
        if value not in known:
            yield f"{field} is {str(value)[:80]} where {' or '.join(map(str, known))} is expected"
    yield from _seal_problems(info)


def _seal_problems(info: dict[str, Any]) -> Iterator[str]:
    """The seal names exactly the files of such a store, so that no name leads out of the folder."""
    tables, shards, rows_per_shard = (info["seal"][field] for field in ("tables", "shards", "rows_per_shard"))
    if rows_per_shard < 1:
        yield "seal.rows_per_shard is 0"
    if [entry["file"] for entry in tables] not in ([*seal.TABLES], [*seal.TABLES, seal.WAVES]):
        yield f"seal.tables does not name {', '.join(seal.TABLES)}"
    if len(shards) != -(-info["n_rows"] // rows_per_shard):
        yield f"seal.shards lists {len(shards)} files for {info['n_rows']} rows in shards of {rows_per_shard}"
    for shard, entry in enumerate(shards):
        if entry["file"] != seal.shard_name(shard):
            yield f"seal.shards[{shard}].file is {entry['file'][:80]!a} where {seal.shard_name(shard)} is expected"
        rows = min(rows_per_shard, info["n_rows"] - shard * rows_per_shard)
        if entry["bytes"] != (expected := seal.shard_bytes(rows, info["n_samples"], rows_per_shard)):
            yield f"seal.shards[{shard}].bytes is {entry['bytes']} where {rows} rows have {expected}"
    n_rejected = sum(info["rejected"].values())
    lines = {entry["file"]: entry["lines"] for entry in tables}
    if (lines[seal.RECORDS], lines[seal.REJECTED]) != (info["n_records"], n_rejected):
        yield f"{seal.RECORDS} and {seal.REJECTED} do not have a line for every accepted and every rejected record"
    if lines[seal.REPORTS] > info["n_records"]:
        yield f"{seal.REPORTS} has {lines[seal.REPORTS]} lines for {info['n_records']} records"


def _misfits(value: object, shape: object, name: str) -> Iterator[str]:
    """Each part of the value that does not have the shape; int means a count, float a number above 0."""
    if shape is int:
        if type(value) is not int or not 0 <= value < 1 << 62:
            yield f"{name} is not a count"
    elif shape is float:
        if type(value) not in (int, float) or not 0 < value < 1e9:
            yield f"{name} is not a number above 0"
    elif isinstance(shape, type):
        if type(value) is not shape:
            yield f"{name} is not {'text' if shape is str else 'true or false'}"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{name} is not a list"
            return
        for place, item in enumerate(value):
            yield from _misfits(item, shape[0], f"{name}[{place}]")
    elif not isinstance(value, dict):
        yield f"{name} is not an object"
    else:
        shapes = dict.fromkeys(value, shape[str]) if str in shape else shape
        for field, inner in shapes.items():
            if field not in value:
                yield f"{name} lacks {field}"
            else:
                yield from _misfits(value[field], inner, f"{name}.{field[:40]}")
