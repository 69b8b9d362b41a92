"""Embeds every recording of a folder with a model folder; no training, no labels, no table needed.

WFDB, EDF, HDF5, CSV, NumPy and MATLAB files are read; --recording_rate, --leads and --unit say what a file does not
say itself.
A record that cannot be used is left out and named with the reason; of the others, what looks wrong is told and kept.
Of a recording longer than the model's window the first seconds are used, or with --windows others.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.readers.reader import names_in_order
from cgdmer_jax.recipes.embed_recordings import MEAN, embed_folder
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV
from cgdmer_jax.waveform.windows import WINDOWS

EXAMPLE = "python -m experiments.embed --model=models/quickstart --records=FOLDER --out=embeddings.npz"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--model",
        type=path_arguments.names,
        required=True,
        help="model folder of experiments.export_model, or hf://owner/name@revision",
    )
    parser.add_argument(
        "--records", type=path_arguments.input_folder, required=True, help="folder of recordings, searched whole"
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
        choices=(*WINDOWS, MEAN),
        help="of recordings longer than the model's window (default first); mean: of all of them one vector",
    )
    parser.add_argument(
        "--recording_rate", "--rate", dest="rate", type=float, help="Hz, of recordings whose files do not say it"
    )
    parser.add_argument("--leads", help="names in their order, as I,II,V1, where the files do not say them")
    parser.add_argument("--unit", choices=UNITS_IN_MV, help="of the samples, where the files do not say it")
    args = parser.parse_args(words)
    hints = Hints(args.rate, names_in_order(args.leads), args.unit)
    made = embed_folder(args.model, args.records, args.out, feature=args.feature, windows=args.windows, hints=hints)
    print(f"{args.out}: {args.feature} of {made.recordings}, {made.width} wide; {made.left_out}")
    return 0
