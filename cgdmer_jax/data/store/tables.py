"""The tables of a store as conversion writes them: records, distinct reports, rejected records, waves.

See docs/design.md, "Store".
"""

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.sources.source import Source
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.store import LABEL_COLUMN, REPORT_SCHEMA, record_schema
from cgdmer_jax.data.store.waves import wave_table
from cgdmer_jax.data.text.own_cleaning import cleaned
from cgdmer_jax.whole_file import write_whole


def write_tables(source: Source, out: Path, notes: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Writes the tables; returns their seal entries and the number of records without clinical text.

    `notes` has one entry a listed record.

    A text's id is its place among the distinct cleaned texts in table order; rejected records have none.
    """
    lines, rejected = [], []
    text_ids: dict[str, int] = {}
    for row, (record, note) in enumerate(zip(source.records, notes, strict=True)):
        if "problem" in note:
            rejected.append((row, record.record_id, note["problem"], note["reason"]))
            continue
        text = cleaned(record.report, source.name, source.own_cleaning)
        line = {
            "row": row,
            "record_id": record.record_id,
            "patient_id": record.patient_id,
            "fold": record.fold,
            "age": record.age,
            "sex": record.sex,
            "device": record.device,
            "text_id": NO_TEXT if text is None else text_ids.setdefault(text, len(text_ids)),
        }
        of_record = {name: value for name, value in note.items() if name != "waves"}
        lines.append(line | of_record | {LABEL_COLUMN + task: record.labels[task] for task in source.tasks})
    records = pa.Table.from_pylist(lines, schema=record_schema(tuple(source.tasks)))
    reports = pa.table({"text_id": list(text_ids.values()), "text": list(text_ids)}, schema=REPORT_SCHEMA)
    write_whole(out / seal.RECORDS, _parquet(records))
    write_whole(out / seal.REPORTS, _parquet(reports))
    header = ("row", "record_id", "problem", "reason")
    if source.lines is not None:  # of the user's table
        header = ("row", "line", *header[1:])
        rejected = [(row, source.lines[row], *rest) for row, *rest in rejected]
    write_whole(out / seal.REJECTED, _csv(header, rejected))
    entries = [
        seal.seal_table(out, seal.RECORDS, len(lines)),
        seal.seal_table(out, seal.REPORTS, len(text_ids)),
        seal.seal_table(out, seal.REJECTED, len(rejected)),
    ]
    if source.waves:
        waves = wave_table(notes)
        write_whole(out / seal.WAVES, _parquet(waves))
        entries.append(seal.seal_table(out, seal.WAVES, len(waves)))
    return entries, sum(line["text_id"] == NO_TEXT for line in lines)


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _csv(header: tuple[str, ...], lines: list[tuple]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return buffer.getvalue().encode()
