"""Time to open a store, and records per second that a random batch gathers."""

import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorstore as ts

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.store import REPORT_SCHEMA, open_store, record_schema
from cgdmer_jax.data.store.store_info import sealed_info
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.waveform.conditioning import LEADS

EXAMPLE = "python -m benchmarks.store --out=results/store.json"

LARGE_ROWS = 800_000
GATHERED_ROWS = 8192  # of the store for gathering; 197 MB at 100 Hz, 983 MB at 500 Hz
BATCH_SIZE = 256
REPEATS = 30


def write_large_store(folder: Path, *, n_rows: int, n_samples: int) -> None:
    """A store whose tables and seal have full size and whose shards are files of holes: good for opening."""
    shard_rows = [min(seal.ROWS_PER_SHARD, n_rows - start) for start in range(0, n_rows, seal.ROWS_PER_SHARD)]
    _create_array(folder, n_rows, n_samples)
    entries = []
    for shard, rows in enumerate(shard_rows):
        path = seal.shard_path(folder, shard)
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            file.truncate(seal.shard_bytes(rows, n_samples, seal.ROWS_PER_SHARD))
        entries.append(
            {
                "file": path.relative_to(folder).as_posix(),
                "bytes": path.stat().st_size,
                "sha256": "",
                "first_record_crc32c": "00000000",
            }
        )
    _write_tables_and_seal(folder, n_rows, n_samples, entries)


def write_random_store(folder: Path, *, n_rows: int, n_samples: int) -> None:
    """A store of noise (standard deviation 100 uV), for gathering."""
    _create_array(folder, n_rows, n_samples)
    array = ts.open(seal.array_spec(folder), open=True).result()
    draw = np.random.default_rng(0)
    entries = []
    for shard, start in enumerate(range(0, n_rows, seal.ROWS_PER_SHARD)):
        end = min(start + seal.ROWS_PER_SHARD, n_rows)
        noise = draw.standard_normal((end - start, seal.N_LEADS, n_samples), np.float32) * 100
        array[start:end].write(noise.astype(np.int16)).result()
        entries.append(seal.seal_shard(folder, shard, n_samples))
    _write_tables_and_seal(folder, n_rows, n_samples, entries)


def _create_array(folder: Path, n_rows: int, n_samples: int) -> None:
    metadata = seal.array_metadata(n_rows, n_samples, seal.ROWS_PER_SHARD)
    ts.open(seal.array_spec(folder) | {"metadata": metadata}, create=True).result()


def _write_tables_and_seal(folder: Path, n_rows: int, n_samples: int, shards: list[dict[str, Any]]) -> None:
    rows = np.arange(n_rows)
    everywhere = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(n_rows * 12, bool)), 12)
    ids = pa.array(rows).cast(pa.string())
    columns = {
        "row": rows.astype(np.int32),
        "record_id": ids,
        "patient_id": ids,
        "fold": (rows % 10 + 1).astype(np.int8),
        "age": (rows % 90).astype(np.float32),
        "sex": pa.array(["male", "female"]).take(pa.array(rows % 2)),
        "device": pa.nulls(n_rows, pa.string()),
        "lead_mask": everywhere,
        "lead_flagged": everywhere,
        "samples_filled": np.zeros(n_rows, np.int32),
        "valid_length": np.full(n_rows, n_samples, np.int32),
        "text_id": (rows % 200_000).astype(np.int32),
    }
    texts = [f"report {number}" for number in range(min(n_rows, 200_000))]
    schema = record_schema(())
    unknown = {field.name: pa.nulls(n_rows, field.type) for field in schema if field.name not in columns}
    pq.write_table(pa.table(columns | unknown, schema=schema), folder / seal.RECORDS, compression="zstd")
    pq.write_table(
        pa.table({"text_id": np.arange(len(texts)), "text": texts}, schema=REPORT_SCHEMA), folder / seal.REPORTS
    )
    (folder / seal.REJECTED).write_text("row,record_id,problem,reason\n")
    info = {
        "format_version": seal.FORMAT_VERSION,
        "name": "benchmark",
        "rate": 100.0,
        "seconds": n_samples / 100,
        "filter": "none",
        "derive_limb_leads": False,
        "n_samples": n_samples,
        "n_rows": n_rows,
        "n_records": n_rows,
        "rejected": {},
        "quality": {},
        "extra_leads": {},
        "unit": "uV int16",
        "leads": list(LEADS),
        "cleaning_version": 1,
        "licence": "none",
        "citation": "none",
        "remarks": [],
        "source": {"rate": 100.0, "tables": {}, "fingerprint": hashlib.sha256(b"benchmark").hexdigest()},
        "tasks": {},
        "seal": {
            "rows_per_shard": seal.ROWS_PER_SHARD,
            "tables": [
                seal.seal_table(folder, name, lines)
                for name, lines in [(seal.RECORDS, n_rows), (seal.REPORTS, len(texts)), (seal.REJECTED, 0)]
            ],
            "shards": shards,
        },
    }
    (folder / seal.DATASET).write_text(sealed_info(info))


def measure_opening(folder: Path) -> list[dict[str, Any]]:
    """Median seconds to open a store of 800,000 rows, and to read its column of patients after that."""
    write_large_store(folder, n_rows=LARGE_ROWS, n_samples=5000)
    opening, column = [], []
    for _ in range(REPEATS):
        began = time.perf_counter()
        store = open_store(folder)
        opening.append(time.perf_counter() - began)
    for _ in range(3):
        store = open_store(folder)
        began = time.perf_counter()
        store.column("patient_id")
        column.append(time.perf_counter() - began)
    size = {"n_rows": LARGE_ROWS, "n_samples": 5000}
    return [
        {"measure": "open_seconds", **size, "value": float(np.median(opening)), "repeats": REPEATS},
        {"measure": "patient_column_seconds", **size, "value": float(np.median(column)), "repeats": 3},
    ]


def measure_gathering(folder: Path, n_samples: int) -> list[dict[str, Any]]:
    """Records a second of random batches, page cache warm, by wall and by CPU time."""
    write_random_store(folder, n_rows=GATHERED_ROWS, n_samples=n_samples)
    store = open_store(folder)
    draw = np.random.default_rng(0)
    wall, cpu = [], []
    for _ in range(REPEATS + 3):  # the first three warm up
        rows = draw.permutation(GATHERED_ROWS)[:BATCH_SIZE]
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        store.read(rows)
        wall.append(time.perf_counter() - wall_began)
        cpu.append(time.process_time() - cpu_began)
    size = {"n_rows": GATHERED_ROWS, "n_samples": n_samples, "batch_size": BATCH_SIZE, "repeats": REPEATS}
    return [
        {
            "measure": f"gathered_records_per_{name}_second",
            **size,
            "value": BATCH_SIZE / float(np.median(t[3:])),
        }
        for name, t in [("wall", wall), ("cpu", cpu)]
    ]


def main(words: list[str]) -> int:
    """Measures, prints and, with --out, writes the JSON."""
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file to write, such as results/store.json")
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_opening(Path(folder) / "large")
        for n_samples in (1000, 5000):
            rows += measure_gathering(Path(folder) / f"gather{n_samples}", n_samples)
    for row in rows:
        print(f"{row['measure']}: {row['value']:,.4g} ({row['n_rows']:,} x 12 x {row['n_samples']})")
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
