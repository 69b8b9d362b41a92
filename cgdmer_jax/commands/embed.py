"""Embeds every WFDB record of a folder with a model folder; no training, no labels, no table needed.

A record that cannot be used is left out and named with the reason; of the others, what looks wrong is told and kept.
Of a recording longer than the model's window the first seconds are used, or with --windows others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cgdmer_jax import cli, load, path_arguments
from cgdmer_jax.contract import InputContract, Prepared, prepare
from cgdmer_jax.data.readers.found_records import find_records, name_of
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.report.quality_notes import remarks
from cgdmer_jax.waveform.windows import WINDOWS, Split, split
from cgdmer_jax.whole_file import whole_file

EXAMPLE = "python -m experiments.embed --model=models/quickstart --records=FOLDER --out=embeddings.npz"
ENDING = ".npz"


@dataclass
class Rows:
    """What each row of the output is of, noted while the recordings are embedded."""

    record: list[str] = field(default_factory=list)
    start_s: list[float] = field(default_factory=list)
    n_windows_left_out: int = 0  # of records that have rows all the same


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--model",
        type=path_arguments.names,
        required=True,
        help="model folder of experiments.export_model, or hf://owner/name@revision",
    )
    parser.add_argument(
        "--records", type=path_arguments.input_folder, required=True, help="folder of WFDB records, searched whole"
    )
    parser.add_argument(
        "--out",
        type=path_arguments.output_file,
        required=True,
        help=".npz file: record [n], start_s [n] (seconds), embedding [n, feature]",
    )
    parser.add_argument("--feature", default="main", help="one of docs/evaluation.md (default main)")
    parser.add_argument(
        "--windows",
        default="first",
        choices=WINDOWS,
        help="of recordings longer than the model's window (default first)",
    )
    args = parser.parse_args(words)
    if args.out.suffix != ENDING:
        raise CgdmerError(f"--out={args.out} does not end in {ENDING}; name a file that does")
    encoder = load(args.model)
    found = find_records(args.records)
    for sentence in found.sentences:
        print(sentence)
    if not found.records:
        raise CgdmerError(f"{args.records} holds no WFDB record (.hea); give the folder that does")
    rows = Rows()
    prepared = usable(encoder.contract, args.records, found.records, args.windows, rows)
    embedding = encoder.embed_prepared(prepared, feature=args.feature)
    if not rows.record:
        raise CgdmerError(f"none of the {len(found.records)} records of {args.records} can be used: see above")
    with whole_file(args.out) as file:
        np.savez(file, record=np.array(rows.record), start_s=np.array(rows.start_s), embedding=embedding)
    n_read = len(set(rows.record))
    n_left_out = len(found.records) - n_read + found.n_left_out
    windows = f"{len(rows.record)} windows of " if len(rows.record) > n_read else ""
    told = f"{args.feature} of {windows}{n_read} records, {embedding.shape[1]} wide; {n_left_out} left out"
    told += f", and {rows.n_windows_left_out} of their windows" if rows.n_windows_left_out else ""
    print(f"{args.out}: {told}")
    return 0


def usable(contract: InputContract, root: Path, paths: list[Path], which: str, rows: Rows) -> Iterator[Prepared]:
    """Windows of the records one by one, noted in the same order; says of the others why they are not."""
    for path in paths:
        name = name_of(path, root)
        try:
            recording = read_wfdb(path)
            parts = split(recording.signal_mv, recording.rate, contract.seconds, which)
        except CgdmerError as error:
            print(f"{name}: left out: {error}")
            continue
        n_before = len(rows.record)
        yield from _windows(contract, name, recording, parts, rows)
        n_used = len(rows.record) - n_before
        if n_used:
            rows.n_windows_left_out += len(parts.windows) - n_used
            if parts.passed_over:
                print(f"{name}: {parts.passed_over}")


def _windows(contract: InputContract, name: str, recording: Recording, parts: Split, rows: Rows) -> Iterator[Prepared]:
    for part in parts.windows:
        where = f"{name} from {part.start_s:g} s" if len(parts.windows) > 1 else name
        try:
            prepared = prepare(contract, part.signal, recording.rate, recording.names, "mV")
        except CgdmerError as error:
            print(f"{where}: left out: {error}")
            continue
        for what in remarks_of(prepared, recording.extra_leads if part is parts.windows[0] else ()):
            print(f"{where}: {what}")
        rows.record.append(name)
        rows.start_s.append(part.start_s)
        yield prepared


def remarks_of(prepared: Prepared, extra_leads: tuple[str, ...]) -> list[str]:
    marks = {
        "lead_absent": ~prepared.lead_mask,
        "lead_flagged": prepared.quality.flagged,
        "lead_implausible": prepared.quality.implausible,
        "lead_derived": prepared.derived,
    }
    agreement = prepared.agreement
    found = remarks(marks, {"arms_swapped": agreement.arms_swapped, "limb_leads_disagree": agreement.disagree})
    if extra_leads:
        found.append(f"none of the twelve leads, and not used: {', '.join(extra_leads)}")
    return found
