"""The layout of a store folder and its seal: what conversion promises and opening verifies (docs/design.md, "Store").

TensorStore reads a missing shard as zeros unless told otherwise, and never notices a shard that was swapped
for another one of the same size; so the seal in dataset.json lists every file of the store. What zarr.json must
say follows from dataset.json alone, and dataset.json holds its own hash (store_info.py).
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import tensorstore as ts

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.json_file import read_json
from cgdmer_jax.whole_file import sha256_of

FORMAT_VERSION = 4
READABLE_VERSIONS = (3, 4)  # 3: dataset.json without its own hash
N_LEADS = 12
ROWS_PER_SHARD = 1024
DATASET = "dataset.json"
RECORDS = "records.parquet"
REPORTS = "reports.parquet"
REJECTED = "rejected.csv"
WAVES = "waves.parquet"  # of a collection whose waves are marked
SIGNAL = "signal"
ARRAY = "signal/zarr.json"
TABLES = (RECORDS, REPORTS, REJECTED)
CRC_BYTES = 4  # crc32c after each record's samples
INDEX_ENTRY_BYTES = 16  # of each record of a shard: offset and length


def array_spec(folder: Path) -> dict[str, Any]:
    """TensorStore spec of the signal array of a store; a missing record is an error, not zeros."""
    return {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": f"{(folder / SIGNAL).resolve()}/"},
        "fill_missing_data_reads": False,
        "store_data_equal_to_fill_value": True,
        # Holds the shards' indices (16 kB each), so that a record costs one read instead of two.
        "context": {"cache_pool": {"total_bytes_limit": 1 << 26}},
        "recheck_cached_data": False,
    }


def array_metadata(n_rows: int, n_samples: int, rows_per_shard: int) -> dict[str, Any]:
    """Zarr v3 metadata: int16 [record, lead, sample], chunk = one record, raw bytes and crc32c."""
    little_endian = {"name": "bytes", "configuration": {"endian": "little"}}
    codecs = [little_endian, {"name": "crc32c"}]
    shard_codec = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1, N_LEADS, n_samples],
            "codecs": codecs,
            "index_codecs": codecs,
            "index_location": "end",
        },
    }
    return {
        "shape": [n_rows, N_LEADS, n_samples],
        "data_type": "int16",
        "fill_value": 0,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [rows_per_shard, N_LEADS, n_samples]},
        },
        "codecs": [shard_codec],
    }


def open_array(folder: Path, info: dict[str, Any]) -> ts.TensorStore:
    """The signal array of an existing store, for reading; refuses a zarr.json that says otherwise than `info`."""
    path = inside(folder, ARRAY)
    remedy = "copy the store again or convert it again"
    read_json(path, remedy=remedy)  # TensorStore's own parser ends the process when brackets are nested too deep
    metadata = array_metadata(info["n_rows"], info["n_samples"], info["seal"]["rows_per_shard"])
    try:
        return ts.open(array_spec(folder) | {"metadata": metadata}, open=True, read=True).result()
    except ValueError as error:
        raise CgdmerError(f"{path} does not describe the signals that {DATASET} announces; {remedy}") from error


def inside(folder: Path, name: str) -> Path:
    """Path of a file of the store; refuses one that a link leads out of the folder."""
    path = folder / name
    target = os.path.realpath(path)
    if not Path(target).is_relative_to(os.path.realpath(folder)):
        raise CgdmerError(f"{path} leads out of the store to {target}; put the file itself in its place")
    return path


def shard_name(shard: int) -> str:
    """Path in the store where TensorStore keeps rows shard*rows_per_shard and on."""
    return f"{SIGNAL}/c/{shard}/0/0"


def shard_path(folder: Path, shard: int) -> Path:
    """The same, on disk."""
    return folder / shard_name(shard)


def shard_bytes(rows: int, n_samples: int, rows_per_shard: int) -> int:
    """Size of a shard that holds that many records: each with its checksum, then the index with one of its own."""
    return rows * (N_LEADS * n_samples * 2 + CRC_BYTES) + INDEX_ENTRY_BYTES * rows_per_shard + CRC_BYTES


def seal_shard(folder: Path, shard: int, n_samples: int) -> dict[str, Any]:
    """Seal entry of a finished shard: size, sha256 and, to catch swaps, the crc32c of its first record."""
    path = shard_path(folder, shard)
    return {
        "file": path.relative_to(folder).as_posix(),
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "first_record_crc32c": _first_record_crc(path, n_samples),
    }


def seal_table(folder: Path, name: str, lines: int) -> dict[str, Any]:
    """Seal entry of a finished table."""
    path = folder / name
    return {"file": name, "bytes": path.stat().st_size, "sha256": sha256_of(path), "lines": lines}


def check_files(folder: Path, info: dict[str, Any]) -> None:
    """Compares every file of the store with the seal by size, shards also by their first record's checksum.

    No samples are read: 800 shards take some 0.1 s. `check_bytes` reads everything.
    """
    for entry in [*info["seal"]["tables"], *info["seal"]["shards"]]:
        path = inside(folder, entry["file"])
        try:
            size = path.stat().st_size
            if size != entry["bytes"]:
                refuse_pointer(path)
                raise _broken(info, entry, f"has {size} bytes where the seal says {entry['bytes']}")
            if "first_record_crc32c" in entry:
                if _first_record_crc(path, info["n_samples"]) != entry["first_record_crc32c"]:
                    raise _broken(info, entry, "begins with another record than the seal says")
        except OSError as error:
            raise _unreadable(info, entry, error) from error


def check_bytes(folder: Path, info: dict[str, Any]) -> None:
    """Compares every byte of the store with the seal's sha256 (about 1 GB/s)."""
    check_files(folder, info)
    for entry in [*info["seal"]["tables"], *info["seal"]["shards"]]:
        try:
            found = sha256_of(folder / entry["file"])
        except OSError as error:
            raise _unreadable(info, entry, error) from error
        if found != entry["sha256"]:
            raise _broken(info, entry, "differs from the seal's sha256")


def table_entry(info: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Seal entry of a table; None where the store has none of that name."""
    return next((entry for entry in info["seal"]["tables"] if entry["file"] == name), None)


def table_bytes(folder: Path, info: dict[str, Any], name: str) -> bytes:
    """Content of a table, compared with the seal before anybody parses it."""
    entry = table_entry(info, name)
    path = inside(folder, name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(info, entry, error) from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise _broken(info, entry, "differs from the seal's sha256")
    return content


def _unreadable(info: dict[str, Any], entry: dict[str, Any], error: OSError) -> CgdmerError:
    missing = isinstance(error, FileNotFoundError)
    return _broken(info, entry, "is missing" if missing else f"cannot be read ({reason_of(error)})")


def _broken(info: dict[str, Any], entry: dict[str, Any], what: str) -> CgdmerError:
    return CgdmerError(
        f"{entry['file']} of store {info['name']} {what}; "
        "copy the store again from where it was whole, or delete it and convert again"
    )


def _first_record_crc(path: Path, n_samples: int) -> str:
    """Hex of the crc32c that follows the samples of the shard's first record."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.pread(file, CRC_BYTES, N_LEADS * n_samples * 2).hex()
    finally:
        os.close(file)
