"""Continues the masked-language training of a text encoder on the training split's reports; no recording is read.

The same command goes on where it stopped. At the end: held-out perplexity before and after, and the adapted encoder as
a folder that config.method.text_tower, and transformers, read.
"""

from pathlib import Path

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import load_config
from cgdmer_jax.recipes import config_fields
from cgdmer_jax.recipes.adapt_text import CONFIG, adapt_text

EXAMPLE = "python -m experiments.adapt_text --store=stores/ptbxl100 --text=minilm"


def main(words: list[str]) -> int:
    if config_fields.ASKED in words:
        return config_fields.print_help(words, CONFIG)
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(config_fields.ASKED, action="store_true", help=config_fields.HELP)
    parser.add_argument(
        "--text",
        type=path_arguments.names,
        required=True,
        help="folder or hf://owner/name@revision of the text encoder",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--store", type=path_arguments.names, help="converted store; several by comma")
    where.add_argument(
        "--reports",
        type=path_arguments.names,
        help="folder of a collection's published table (ptbxl_database.csv), instead",
    )
    parser.add_argument("--source", default="ptbxl", help="whose table --reports holds (default ptbxl)")
    parser.add_argument("--workdir", type=path_arguments.output_folder, help="run folder (default runs/adapted-NAME)")
    parser.add_argument(
        "--out", type=path_arguments.output_folder, help="folder of the adapted encoder (default WORKDIR/tower)"
    )
    known, overrides = parser.parse_known_args(words)
    config = load_config(CONFIG, overrides)  # fields are changed as --config.a.b=value
    config.method.text_tower = known.text
    if known.store:
        config.data.stores = tuple(known.store.split(","))
    else:
        config.data.update(reports=known.reports, source=known.source)
    workdir = Path(known.workdir or f"runs/adapted-{Path(known.text.partition('@')[0]).name}")
    return adapt_text(config, workdir, Path(known.out) if known.out else workdir / "tower")
