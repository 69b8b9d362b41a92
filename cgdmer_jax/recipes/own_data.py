"""One's own recordings and their table, as the flags of `convert` name them."""

import argparse
import re
from pathlib import Path

from cgdmer_jax import path_arguments
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.readers.reader import names_in_order
from cgdmer_jax.data.sources.source import SourceRecord
from cgdmer_jax.data.sources.table import Understood, open_table
from cgdmer_jax.data.sources.table_columns import EXAMPLE, FIELDS, parse_columns
from cgdmer_jax.data.sources.table_files import better_root, none_is_there
from cgdmer_jax.data.store.own_name import check_own_name
from cgdmer_jax.data.text.own_cleaning import no_rules, read_cleaning
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import WaveformError, canonical_unit

TABLE = "table"
FLAGS = ("table", "columns", "name", "cleaning", "recording_rate", "leads", "unit")


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
    own.add_argument("--unit", type=_unit, help="of their samples: V, mV or uV")
    own.add_argument("--dry_run", action="store_true", help="show what the first lines mean, and write nothing")


def _unit(text: str) -> str:
    """The unit as it was written, which the fingerprint of a store holds."""
    try:
        canonical_unit(text)
    except WaveformError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def open_own_data(args: argparse.Namespace) -> Understood:
    """The records that the flags name."""
    for flag in ("root", "table", "columns"):
        if getattr(args, flag) is None:
            raise CgdmerError(f"source {TABLE} needs --{flag}; write --root=FOLDER --table=FILE {EXAMPLE}")
    return open_table(
        path_arguments.input_folder(args.root),
        args.table,
        parse_columns(args.columns),
        name=name_of_table(args.table) if args.name is None else _checked(args.name),
        cleaning=no_rules() if args.cleaning is None else read_cleaning(args.cleaning),
        hints=Hints(
            rate=args.recording_rate,
            leads=names_in_order(args.leads),
            unit=args.unit,
        ),
        follow_links=args.follow_links,
    )


def check_no_flags(args: argparse.Namespace) -> None:
    """Refuses, for another source, what it would not listen to."""
    for flag in (*FLAGS, "dry_run"):
        if getattr(args, flag):
            raise CgdmerError(f"--{flag} is for --source={TABLE}; leave it out")


def name_of_table(file: Path) -> str:
    """Name of the collection that a table describes, where the user gives none."""
    return _checked(re.sub(r"[^A-Za-z0-9._-]+", "_", file.name.split(".")[0]).lstrip("._-") or TABLE)


def _checked(name: str) -> str:
    check_own_name(name)
    return name


def check_some_file_is_there(understood: Understood) -> None:
    """Refuses a table of which not one file is below the root, before a store is begun."""
    source = understood.source
    if none_is_there(source.folder, source.records):
        raise CgdmerError(wrong_root(understood, source.records))


def wrong_root(understood: Understood, absent: list[SourceRecord], more: str = "") -> str:
    """The sentence on a table whose files are not below the root, with the folder below which they are.

    `more`: another remedy.
    """
    source = understood.source
    near = better_root(source.folder, absent)
    n = len(source.records)
    if len(absent) == n:
        told = f'none of the {n:,} files that column "{understood.file_column}" names lies below {source.folder}'
    else:
        told = f'{len(absent):,} of the {n:,} files that column "{understood.file_column}" names are not below '
        told += str(source.folder)
    told += "; give --root the folder from which its paths start, or correct the table" + more
    return told + (f". Did you mean --root={near}?" if near else "")
