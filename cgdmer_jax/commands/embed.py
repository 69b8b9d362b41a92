"""Embeds every WFDB record of a folder with a model folder; no training, no labels, no table needed.

A record that cannot be used is left out and named with the reason; of the others, what looks wrong is told and kept.
Of a recording longer than the model's window the first seconds are used, or with --windows others.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.recipes.embed_recordings import embed_folder
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
    print(embed_folder(args.model, args.records, args.out, feature=args.feature, windows=args.windows))
    return 0
