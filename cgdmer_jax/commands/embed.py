"""Embeds every WFDB record of a folder with a model folder; no training, no labels, no table needed.

A record that cannot be used is left out and named with the reason; of the others, what looks wrong is told and kept.
Of a recording longer than the model's window the first seconds are used, or with --windows others.
"""

import numpy as np

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.readers.found_records import find_records
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.recipes.embed_recordings import Rows, usable
from cgdmer_jax.waveform.windows import WINDOWS
from cgdmer_jax.whole_file import whole_file

EXAMPLE = "python -m experiments.embed --model=models/quickstart --records=FOLDER --out=embeddings.npz"
ENDING = ".npz"


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
