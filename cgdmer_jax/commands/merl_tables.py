"""Counts what MERL's published split tables hold: records and positives of each part, as released and exact."""

from pathlib import Path

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.published_splits import SplitTable, read_tables, tables_sha256
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.protocols import FRACTIONS
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m experiments.merl_tables --tables=data/merl_data_split --out=results/merl-tables.json"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--tables",
        type=path_arguments.input_folder,
        required=True,
        help="MERL's finetune/data_split (docs/evaluation.md)",
    )
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file for the counts")
    args = parser.parse_args(words)
    tables = read_tables(args.tables)
    for table in tables:
        sizes = " / ".join(f"{len(part.record_id):,}" for part in table.parts.values())
        rare = ", ".join(f"{name} {n}" for name, n in rare_classes(table).items())
        print(f"{table.task:10} {len(table.classes):2} classes, records {sizes}; rare in test: {rare or 'none'}")
    if args.out:
        write_figures(args.out, [row for table in tables for row in counts(table, args.tables)])
    return 0


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
