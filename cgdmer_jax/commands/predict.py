"""Predicts the classes of every recording of a folder with a model that was fitted or fine-tuned on labels.

The table has the probability of each class, and which are found: those at or above the threshold that was chosen with
the model. A record that cannot be used is left out and named with the reason.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.readers.reader import names_in_order
from cgdmer_jax.recipes.embed_recordings import MEAN
from cgdmer_jax.recipes.predict_recordings import predict_folder
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV
from cgdmer_jax.waveform.windows import WINDOWS

EXAMPLE = "python -m experiments.predict --model=fitted/model --records=FOLDER --out=predictions.csv"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--model",
        type=path_arguments.names,
        required=True,
        help="model folder that predicts, or hf://owner/name@revision",
    )
    parser.add_argument(
        "--records", type=path_arguments.input_folder, required=True, help="folder of recordings, searched whole"
    )
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help=".csv file")
    parser.add_argument(
        "--windows",
        default="first",
        choices=(*WINDOWS, MEAN),
        help="of recordings longer than the model's window (default first); mean: of the logits of all of them",
    )
    parser.add_argument("--recording_rate", type=float, help="Hz, of recordings whose files do not say it")
    parser.add_argument("--leads", help="names in their order, as I,II,V1, where the files do not say them")
    parser.add_argument("--unit", choices=UNITS_IN_MV, help="of the samples, where the files do not say it")
    args = parser.parse_args(words)
    hints = Hints(args.recording_rate, names_in_order(args.leads), args.unit)
    print(predict_folder(args.model, args.records, args.out, windows=args.windows, hints=hints))
    return 0
