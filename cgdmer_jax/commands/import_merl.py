"""A file that MERL's authors released (*_ckpt.pth) as a run folder, so that it is evaluated as our own runs are.

The text tower comes from --config.method.text_tower: the released code never changed it.
"""

from cgdmer_jax import cli, config, path_arguments
from cgdmer_jax.recipes import config_fields
from cgdmer_jax.recipes.import_merl import import_merl
from cgdmer_jax.training.run_folder import RunFolder

EXAMPLE = (
    "python -m experiments.import_merl --weights=res18_best_ckpt.pth --config=configs/merl.py:resnet18 "
    "--store=stores/ptbxl500 --out=runs/merl-released"
)


def main(words: list[str]) -> int:
    if config_fields.ASKED in words:
        return config_fields.print_help(words)
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(config_fields.ASKED, action="store_true", help=config_fields.HELP)
    parser.add_argument("--weights", type=path_arguments.path, required=True, help="the released file, *_ckpt.pth")
    parser.add_argument("--config", required=True, help="FILE:SIZE of that file; fields as --config.a.b=value")
    parser.add_argument(
        "--store",
        type=path_arguments.names,
        required=True,
        help="a store of the rate and length they trained on: 500 Hz, 10 s",
    )
    parser.add_argument("--out", type=path_arguments.output_folder, required=True, help="run folder to make")
    known, overrides = parser.parse_known_args(words)
    import_merl(known.weights, config.load_config(known.config, overrides), known.store, RunFolder(known.out))
    return 0
