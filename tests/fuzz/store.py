"""A store, and one whose conversion was killed, which the same command continues."""

import contextlib
import hashlib
import io
import json
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.store_info import sealed_info
from cgdmer_jax.sealed_json import sealed
from tests.flipped_stores import continued_bytes, make_store, make_unfinished, store_parts
from tests.fuzz.spoil_folder import Tree
from tests.fuzz.spoil_json import ODD_VALUES
from tests.fuzz.target import FolderTarget, Values

WHOLE, UNFINISHED = "whole", "unfinished"


def make(folder: Path) -> None:
    make_store(folder / WHOLE)
    make_unfinished(folder / UNFINISHED)


def read_unfinished(folder: Path) -> Values:
    return {"continued": continued_bytes(folder)}


def reseal(folder: Path, spoilt: set[str]) -> None:
    """Hashes of what is there now, in dataset.json or in the notes of the unfinished store."""
    notes = f"{UNFINISHED}/.partial/"
    for name in [name for name in spoilt if name.startswith(notes) and name.endswith(".json")]:
        file = folder / name
        file.write_text(json.dumps(sealed(json.loads(file.read_text()))))
    store = folder / WHOLE
    info = json.loads((store / seal.DATASET).read_text())
    for name in seal.TABLES:
        if f"{WHOLE}/{name}" in spoilt:
            number = seal.TABLES.index(name)
            info["seal"]["tables"][number] = seal.seal_table(store, name, info["seal"]["tables"][number]["lines"])
    for shard, entry in enumerate(info["seal"]["shards"]):
        if f"{WHOLE}/{entry['file']}" in spoilt:
            info["seal"]["shards"][shard] = seal.seal_shard(store, shard, info["n_samples"])
    (store / seal.DATASET).write_text(sealed_info(info), encoding="utf-8")


def table_changed(tree: Tree, draw: Random) -> str | None:
    """Another value, type, line or column in a Parquet table, with the hash that belongs to it."""
    name = f"{WHOLE}/{draw.choice((seal.RECORDS, seal.REPORTS))}"
    if not isinstance(tree.get(name), bytes):
        return None
    table = pq.read_table(io.BytesIO(tree[name]))
    how = draw.choice(("value", "value", "value", "column dropped", "column renamed", "line dropped", "order", "type"))
    column = draw.choice(table.column_names)
    values = table.column(column).to_pylist()
    place, told = table.column_names.index(column), ""
    if how == "value":
        number, new = draw.randrange(len(values)), draw.choice((*values, *ODD_VALUES))
        values[number] = new
        told = f"{number} is {new!r:.30}"
        with contextlib.suppress(pa.ArrowException, OverflowError, UnicodeError, TypeError):
            table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    elif how == "column dropped":
        table = table.remove_column(place)
    elif how == "column renamed":
        table = table.rename_columns([f"{one}x" if one == column else one for one in table.column_names])
    elif how == "line dropped":
        table = table.slice(1)
    elif how == "order":
        table = table.take(pa.array(range(table.num_rows - 1, -1, -1)))
    else:
        table = table.set_column(place, column, pa.array([str(value) for value in values]))
    content = io.BytesIO()
    pq.write_table(table, content, compression=draw.choice(("zstd", "none", "gzip")))
    tree[name] = content.getvalue()
    info = json.loads(tree[f"{WHOLE}/{seal.DATASET}"])
    entry = info["seal"]["tables"][seal.TABLES.index(name.split("/")[1])]
    entry |= {"bytes": len(tree[name]), "sha256": hashlib.sha256(tree[name]).hexdigest(), "lines": table.num_rows}
    tree[f"{WHOLE}/{seal.DATASET}"] = sealed_info(info).encode()
    return f"{name}: {column} {how} {told}".rstrip()


def make_target() -> FolderTarget:
    readers = {WHOLE: store_parts, UNFINISHED: read_unfinished}
    return FolderTarget(make, readers, reseal=reseal, of_format=(table_changed,))
