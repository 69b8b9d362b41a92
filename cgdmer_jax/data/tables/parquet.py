"""Parquet tables as lines of text cells, bounded before they are decoded: a dictionary repeats a text for a byte."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cgdmer_jax.data.tables.cells import written
from cgdmer_jax.errors import CgdmerError, reason_of

MAGIC = b"PAR1"
MOST_BYTES = 1 << 28  # of all cells that are kept, as text
MOST_COLUMNS = 10_000
_ROWS_AT_ONCE = 1 << 14


def parquet_lines(
    content: bytes, keep: Callable[[tuple[str, ...]], dict[str, int]], file: Path, remedy: str
) -> tuple[tuple[str, ...], Iterator[tuple[int, dict[str, str]]]]:
    """Names of all columns, and the cells of the kept ones line by line with the number of the line."""

    def refused(what: str) -> CgdmerError:
        return CgdmerError(f"{file} {what}; {remedy}")

    try:
        metadata = pq.read_metadata(io.BytesIO(content))
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise refused("begins as a Parquet file and cannot be read as one; perhaps it is cut") from error
    if len(schema) > MOST_COLUMNS:
        raise refused(f"has {len(schema):,} columns, more than the {MOST_COLUMNS:,} that are read")
    columns = tuple(name.strip() for name in schema.names)
    names = [schema.names[place] for place in keep(columns).values()]
    for name in names:
        if pa.types.is_nested(schema.field(name).type):
            raise refused(f'has lists or several values a cell in column "{name}"; write them as text with separators')
    kept_size = sum(
        chunk.total_uncompressed_size
        for group in range(metadata.num_row_groups)
        for place in range(metadata.num_columns)
        if (chunk := metadata.row_group(group).column(place)).path_in_schema in names
    )
    if kept_size > MOST_BYTES:
        raise refused(f"unpacks into more than the {MOST_BYTES:,} bytes that are read")

    def lines() -> Iterator[tuple[int, dict[str, str]]]:
        number, size = 0, 0
        try:
            # Dictionaries: a repeated text is decoded once, so that its length is known before it is repeated.
            texts = [name for name in names if _is_text(schema.field(name).type)]
            opened = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts)
            for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=names):
                batch.validate(full=True)
                cells = {}
                for name in names:
                    size += _text_size(batch.column(name))
                    if size > MOST_BYTES:
                        raise refused(f"unpacks into more than the {MOST_BYTES:,} bytes that are read")
                    cells[name.strip()] = _texts(batch.column(name))
                for row in range(batch.num_rows):
                    number += 1
                    line = {column: written(values[row] or "") for column, values in cells.items()}
                    yield number, line
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, CgdmerError):
                raise
            raise refused(f"cannot be unpacked after line {number:,} ({reason_of(error)})") from error

    return columns, lines()


def _text_size(values: pa.Array) -> int:
    """Bytes of all texts, repeats included; none for numbers."""
    if not pa.types.is_dictionary(values.type) or not _is_text(values.type.value_type):
        return values.nbytes
    lengths = pc.take(pc.binary_length(values.dictionary), values.indices)
    return pc.sum(lengths, min_count=0).as_py()


def _is_text(kind: pa.DataType) -> bool:
    return any(of(kind) for of in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary))


def _texts(values: pa.Array) -> list[str | None]:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.string()).to_pylist()
