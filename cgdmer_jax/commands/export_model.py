"""Exports a checkpoint of a run as a portable model folder, for `cgdmer_jax.load`.

The model card tells what was trained on, and the figures of every evaluation of that checkpoint in the run folder.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.recipes.export import KEY_HELP, chosen_step, export_model, read_key
from cgdmer_jax.recipes.trained_run import load_run

EXAMPLE = "python -m experiments.export_model --run=runs/quickstart --out=models/quickstart"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", type=path_arguments.path, required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--out", type=path_arguments.new_folder, required=True, help="new model folder")
    parser.add_argument("--checkpoint", type=int, help="step (default: the last; of a fine-tuned run the one scored)")
    parser.add_argument("--patient_key", type=path_arguments.path, help=KEY_HELP)
    args = parser.parse_args(words)
    key = None if args.patient_key is None else read_key(args.patient_key)
    step = chosen_step(args.run) if args.checkpoint is None else args.checkpoint
    export_model(load_run(args.run, step), args.out, key)
    print(f"{args.out}: read {args.out}/README.md; in Python: cgdmer_jax.load({str(args.out)!r})")
    return 0
