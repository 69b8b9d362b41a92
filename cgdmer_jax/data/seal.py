"""The layout of a store folder and its seal: what conversion promises and opening verifies (DESIGN 2).

TensorStore reads a missing shard as zeros unless told otherwise, and never notices a shard that was swapped
for another one of the same size; so the seal in dataset.json lists every file of the store.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import tensorstore as ts

from cgdmer_jax.errors import CgdmerError

FORMAT_VERSION = 3
N_LEADS = 12
ROWS_PER_SHARD = 1024
DATASET = "dataset.json"
RECORDS = "records.parquet"
REPORTS = "reports.parquet"
REJECTED = "rejected.csv"
SIGNAL = "signal"
TABLES = (RECORDS, REPORTS, REJECTED)
CRC_BYTES = 4  # crc32c after each record's samples


def array_spec(folder: Path) -> dict[str, Any]:
    """TensorStore spec of the signal array of a store; a missing record is an error, not zeros."""
    return {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": f"{folder / SIGNAL}/"},
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


def open_array(folder: Path, store_name: str) -> ts.TensorStore:
    """The signal array of an existing store, for reading."""
    try:
        return ts.open(array_spec(folder), open=True, read=True).result()
    except ValueError as error:
        raise CgdmerError(
            f"store {store_name} has no readable {SIGNAL}/zarr.json; copy the store again or convert it again"
        ) from error


def shard_path(folder: Path, shard: int) -> Path:
    """Where TensorStore keeps rows shard*rows_per_shard and on."""
    return folder / SIGNAL / "c" / str(shard) / "0" / "0"


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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

    No samples are read: 800 shards take some 20 ms. `check_bytes` reads everything.
    """
    for entry in [*info["seal"]["tables"], *info["seal"]["shards"]]:
        path = folder / entry["file"]
        try:
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise _broken(info, entry, "is missing") from error
        if size != entry["bytes"]:
            raise _broken(info, entry, f"has {size} bytes where the seal says {entry['bytes']}")
        if "first_record_crc32c" in entry:
            if _first_record_crc(path, info["n_samples"]) != entry["first_record_crc32c"]:
                raise _broken(info, entry, "begins with another record than the seal says")


def check_bytes(folder: Path, info: dict[str, Any]) -> None:
    """Compares every byte of the store with the seal's sha256 (about 1 GB/s)."""
    check_files(folder, info)
    for entry in [*info["seal"]["tables"], *info["seal"]["shards"]]:
        if sha256_of(folder / entry["file"]) != entry["sha256"]:
            raise _broken(info, entry, "differs from the seal's sha256")


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
