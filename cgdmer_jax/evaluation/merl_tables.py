"""Counts of what MERL's published split tables hold: records and positives of each part."""

from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.data.published_splits import SplitTable, read_tables, tables_sha256
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.protocols import FRACTIONS


class TableCounts(NamedTuple):
    """A line a table to be read, and a row a part for a JSON file."""

    text: str
    rows: list[dict]


def count_tables(folder: Path) -> TableCounts:
    """Counts of every table of MERL's finetune/data_split, as released and exact."""
    tables = read_tables(folder)
    rows = [row for table in tables for row in counts(table, folder)]
    return TableCounts("\n".join(described(table) for table in tables), rows)


def described(table: SplitTable) -> str:
    """Sizes of the table's parts, and the test classes that are too rare to trust."""
    sizes = " / ".join(f"{len(part.record_id):,}" for part in table.parts.values())
    rare = ", ".join(f"{name} {n}" for name, n in rare_classes(table).items())
    return f"{table.task:10} {len(table.classes):2} classes, records {sizes}; rare in test: {rare or 'none'}"


def counts(table: SplitTable, folder: Path) -> list[dict]:
    """A row a part; positives stand under the column names of that part's own file."""
    shared = {"task": table.task, "files_sha256": tables_sha256(folder, table.collection)}
    return [
        shared
        | {"part": name, "records": len(part.record_id), "classes": len(part.classes)}
        | ({"fewer_labels": _fewer(len(part.record_id))} if name == "train" else {})
        | {"positives": dict(zip(part.classes, part.labels.sum(0).tolist(), strict=True))}
        for name, part in table.parts.items()
    ]


def rare_classes(table: SplitTable) -> dict[str, int]:
    """Positives of the test classes that have too few for `macro_ge10`, and that MERL's mean counts all the same."""
    test = table.parts["test"]
    held = dict(zip(test.classes, test.labels.sum(0).tolist(), strict=True))
    return {name: n for name, n in held.items() if n < ENOUGH_POSITIVES}


def _fewer(n: int) -> dict[str, int]:
    return {f"{share:.0%}": int(share * n) for share in FRACTIONS if share < 1}
