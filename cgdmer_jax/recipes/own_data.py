"""One's own recordings and their table, as the flags of `convert` name them, and what a dry run shows of them."""

import argparse
import re
from collections import Counter
from pathlib import Path

from cgdmer_jax import path_arguments
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.sources.table import Understood, open_table
from cgdmer_jax.data.sources.table_columns import EXAMPLE, FIELDS, parse_columns
from cgdmer_jax.data.splits import SPLITS
from cgdmer_jax.data.store.own_name import check_own_name
from cgdmer_jax.data.text.own_cleaning import cleaned, cleaning_sha256, no_rules, read_cleaning
from cgdmer_jax.errors import CgdmerError, visible

TABLE = "table"
FLAGS = ("table", "columns", "name", "cleaning", "recording_rate", "leads", "unit")
N_SHOWN = 5
LONGEST_SHOWN = 60  # letters of a report in a dry run


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that only `--source=table` has."""
    own = parser.add_argument_group("your own data (--source=table)")
    own.add_argument("--table", type=path_arguments.path, help="CSV, TSV or Parquet file, a line for each recording")
    own.add_argument(
        "--columns",
        help=f"which column says what: FIELD=COLUMN by comma, fields {', '.join(FIELDS)} and labels:TASK; several "
        f"columns by +, such as one of 0 and 1 for each class ({EXAMPLE})",
    )
    own.add_argument("--name", help="of the collection; its patients are kept apart by it (default: the table's name)")
    own.add_argument("--cleaning", type=path_arguments.path, help="JSON file of rules that clean the reports")
    own.add_argument("--recording_rate", type=float, help="Hz of recordings whose files do not say it")
    own.add_argument("--leads", help="names of their leads in order, by comma")
    own.add_argument("--unit", help="of their samples: V, mV or uV")
    own.add_argument("--dry_run", action="store_true", help="show what the first lines mean, and write nothing")


def open_own_data(args: argparse.Namespace) -> Understood:
    """The records that the flags name."""
    for flag in ("root", "table", "columns"):
        if getattr(args, flag) is None:
            raise CgdmerError(f"source {TABLE} needs --{flag}; write --root=FOLDER --table=FILE {EXAMPLE}")
    return open_table(
        path_arguments.input_folder(args.root),
        args.table,
        parse_columns(args.columns),
        name=_name(args.name, args.table),
        cleaning=no_rules() if args.cleaning is None else read_cleaning(args.cleaning),
        hints=Hints(
            rate=args.recording_rate,
            leads=None if args.leads is None else tuple(name.strip() for name in args.leads.split(",")),
            unit=args.unit,
        ),
        follow_links=args.follow_links,
    )


def check_no_flags(args: argparse.Namespace) -> None:
    """Refuses, for another source, what it would not listen to."""
    for flag in (*FLAGS, "dry_run"):
        if getattr(args, flag):
            raise CgdmerError(f"--{flag} is for --source={TABLE}; leave it out")


def _name(given: str | None, file: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", file.name.split(".")[0]).lstrip("._-") or TABLE if given is None else given
    check_own_name(name)
    return name


def show(understood: Understood) -> str:
    """What the table was understood to say: its form, tasks and folds, and its first lines with their recordings."""
    source, table = understood.source, understood.table
    n_patients = len({record.patient_id for record in source.records})
    lines = [
        f"{table.file}: {table.form.told}, {len(source.records):,} recordings of {n_patients:,} patients, "
        f'collection "{source.name}"',
        f"  splits: {_splits(source.records)}",
        f"  cleaning rules {cleaning_sha256(source.own_cleaning)[:12]}",
    ]
    lines += [f"  {remark}" for remark in source.remarks]
    for task, labels in understood.labels.items():
        counts = Counter(code for codes in labels.of_line for code in codes or ())
        told = ", ".join(f"{label.code} {counts[label.code]:,}" for label in labels.classes)
        lines.append(f"  labels of {task} ({labels.told}): {told}")
    for number, record in zip(table.numbers, source.records[:N_SHOWN], strict=False):
        fields = {
            "patient": record.patient_id,
            "fold": record.fold,
            "age": record.age,
            "sex": record.sex,
            "device": record.device,
            **{
                task: "not labelled" if codes is None else " + ".join(codes) or "-"
                for task, codes in record.labels.items()
            },
        }
        told = ", ".join(f"{field} {value}" for field, value in fields.items() if value is not None)
        lines.append(f"line {number}: {record.record_id}: {told}")
        lines.append(f"  recording: {_recording(source, record)}")
        if record.report.strip():
            report = cleaned(record.report, source.name, source.own_cleaning) or ""
            shown = (
                report if len(report) <= LONGEST_SHOWN else f"{report[:LONGEST_SHOWN]}... ({len(report)} characters)"
            )
            lines.append(f'  report: "{shown}"')
    lines.append("nothing was written (--dry_run)")
    return visible("\n".join(lines))


def _recording(source: Source, record: SourceRecord) -> str:
    try:
        recording = source.read(record)
    except RecordError as error:
        return f"cannot be read: {error}"
    seconds = recording.signal_mv.shape[1] / recording.rate
    return f"{len(recording.names)} leads ({', '.join(recording.names)}), {seconds:g} s at {recording.rate:g} Hz"


def _splits(records: list[SourceRecord]) -> str:
    counts = Counter(record.fold for record in records)
    return ", ".join(f"{split} {sum(counts[fold] for fold in folds):,}" for split, folds in SPLITS.items())
