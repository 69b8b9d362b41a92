"""Converts a collection of recordings, in the folder layout of its publisher or with a table of your own, into a store.

The same command again continues an interrupted conversion, and compares every byte of a finished store with its
seal. Records that cannot be used are set aside in rejected.csv with the reason.
"""

import argparse
import os
import sys

from cgdmer_jax import cli, early_stop, path_arguments
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes import own_data, own_data_shown
from cgdmer_jax.recipes.conversion import SYNTHETIC, describe, measured, open_source
from cgdmer_jax.waveform.conditioning import FILTERS
from cgdmer_jax.waveform.windows import WINDOWS

EXAMPLE = "python -m experiments.convert --source=ptbxl --root=data/ptb-xl --rate=100 --out=stores/ptbxl100"

SETTINGS = ("rate", "seconds", "windows", "filter", "derive_limb_leads", "processes", "partial")  # of the conversion


def parse(words: list[str]) -> argparse.Namespace:
    """Command line of this program."""
    parser = cli.parser(__doc__, EXAMPLE)
    known = ", ".join([*SOURCES, own_data.TABLE, SYNTHETIC])
    parser.add_argument("--source", required=True, help=f"collection: {known}")
    parser.add_argument("--root", type=path_arguments.path, help="folder of the collection (not for synthetic)")
    parser.add_argument("--rate", type=int, default=100, help="Hz of the store (default 100)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of every record (default 10)")
    parser.add_argument(
        "--windows",
        default="first",
        help=f"of a longer recording: {', '.join(WINDOWS)} (all: a record for each; default first)",
    )
    parser.add_argument("--filter", default="none", help=f"one of {', '.join(FILTERS)} (Hz, zero phase)")
    parser.add_argument(
        "--derive_limb_leads",
        action="store_true",
        help="make absent limb leads from two others (column lead_derived says which)",
    )
    parser.add_argument(
        "--follow_links", action="store_true", help="read recordings that are links to outside of --root too"
    )
    parser.add_argument(
        "--partial", action="store_true", help="the folder holds a part of the listed recordings: leave out the others"
    )
    parser.add_argument("--out", type=path_arguments.path, help="folder of the store (not for --dry_run)")
    parser.add_argument(
        "--processes",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="default: the cores of this machine",
    )
    parser.add_argument("--records", type=int, default=3400, help="synthetic only: how many (default 3400)")
    parser.add_argument("--seed", type=int, default=0, help="synthetic only: which ones (default 0)")
    parser.add_argument(
        "--figures", type=path_arguments.output_file, help="JSON file for what was measured: counts, seconds, records/s"
    )
    own_data.add_flags(parser)
    args = parser.parse_args(words)
    if args.out is None and not args.dry_run:
        parser.error("the following arguments are required: --out")
    return args


def main(words: list[str]) -> int:
    """Runs the conversion; returns the exit code."""
    args = parse(words)
    early_stop.as_ctrl_c()
    try:
        if args.source == own_data.TABLE:
            understood = own_data.open_own_data(args)
            if args.dry_run:
                own_data_shown.show(understood, args.partial)
                return 0
            if not args.out.exists():  # else what went away may come back, and a finished store is only looked through
                own_data.check_some_file_is_there(understood)
            source = understood.source
        else:
            own_data.check_no_flags(args)
            given = {name: getattr(args, name) for name in ("rate", "follow_links", "records", "seed")}
            source = open_source(args.source, args.root, **given)
        summary = convert(source, args.out, **{name: getattr(args, name) for name in SETTINGS})
    except KeyboardInterrupt:
        print("interrupted; the same command continues", file=sys.stderr)
        return early_stop.PREEMPTED
    if not summary.n_converted:
        open_store(args.out).verify()
    print(describe(summary, args.out))
    if args.figures:
        row = measured(summary, args.out, source=args.source, rate=args.rate, processes=args.processes)
        write_figures(args.figures, [row])
    return 0
