"""Parquet tables that may have been made to unpack into far more than they are: bounded before they are decoded.

A page of zeros shrinks a thousandfold, and a dictionary repeats one long text in every line for a byte each. So the
sizes that the file announces are looked at first, then the lengths of distinct values, which are decoded once each.
"""

import io
from collections.abc import Iterator
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cgdmer_jax.errors import CgdmerError

MOST_VALUES = 64  # of a list, on average: 12 leads; codes of a task
_SLACK = 1 << 20  # values or bytes that even an empty table may have


@final
class BoundedTable:
    """Columns of one Parquet file, read on demand; `most_bytes` limits what any reading takes, as text and as tables.

    `where` begins every error: "records.parquet of store x".
    """

    def __init__(self, content: bytes, schema: pa.Schema, *, lines: int, most_bytes: int, where: str):
        self.schema = schema
        self._most_bytes, self._where = most_bytes, where
        try:
            metadata = pq.read_metadata(io.BytesIO(content))
            found = metadata.schema.to_arrow_schema()
            # Dictionaries: a repeated text is decoded once, so that its length is known before it is repeated.
            leaves = [metadata.schema.column(place) for place in range(metadata.num_columns)]
            texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
            self._file = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._refused("is no readable Parquet file") from error
        if not found.equals(schema):
            raise self._refused("has other columns than this program writes")
        if metadata.num_rows != lines:
            raise self._refused(f"has {metadata.num_rows} lines where {lines} are expected")
        chunks = list(_column_chunks(metadata))
        if sum(chunk.total_uncompressed_size for chunk in chunks) > most_bytes:
            raise self._refused(f"unpacks into more than the {most_bytes} bytes that {lines} lines may have")
        if any(chunk.num_values > MOST_VALUES * lines + _SLACK for chunk in chunks):
            raise self._refused(f"has more than {MOST_VALUES} values a line")

    def read(self, names: list[str], longest: int | None = None) -> pa.Table:
        """These columns; refuses texts that are longer than `longest` bytes, or too many bytes in all."""
        try:
            table = self._file.read(names).select(names)
            table.validate(full=True)  # that texts are UTF-8 and every index is of its dictionary
            lengths = [_lengths(chunk) for column in table.columns for chunk in column.chunks]
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._refused("cannot be unpacked") from error
        if sum(int(part.sum()) for part in lengths) > self._most_bytes:
            raise self._refused(f"unpacks into more than the {self._most_bytes} bytes of text that it may have")
        if longest is not None and (most := max((int(part.max(initial=0)) for part in lengths), default=0)) > longest:
            raise self._refused(f"holds a text of {most} bytes, more than the {longest} that one may have")
        return table.cast(pa.schema([self.schema.field(name) for name in names]))

    def _refused(self, what: str) -> CgdmerError:
        return CgdmerError(
            f"{self._where} {what}; copy the store again from where it was whole, or delete it and convert again"
        )


def _column_chunks(metadata: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            yield metadata.row_group(group).column(column)


def _lengths(values: pa.Array) -> np.ndarray:
    """Bytes of each text, repeats included; none for numbers."""
    while pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    if not pa.types.is_dictionary(values.type):
        return np.zeros(0, np.int64)
    of_distinct = pc.binary_length(values.dictionary).to_numpy(zero_copy_only=False).astype(np.int64)
    return of_distinct[values.indices.drop_null().to_numpy()]
