"""Pretrains a method on converted stores; the same command again continues where it stopped."""

import os

from cgdmer_jax import cli, config, path_arguments
from cgdmer_jax.provenance import write_figures
from cgdmer_jax.recipes import config_fields
from cgdmer_jax.recipes.dry_run import dry_run
from cgdmer_jax.recipes.pretrain import start
from cgdmer_jax.recipes.utilisation import PEAK
from cgdmer_jax.training import hosts
from cgdmer_jax.training.coordination import together

EXAMPLE = (
    "python -m experiments.pretrain --config=configs/cgdmer.py:nano --workdir=runs/ptbxl-nano "
    "--config.data.stores=stores/ptbxl100 --config.optimizer.steps=2000"
)


def main(words: list[str]) -> int:
    if config_fields.ASKED in words:
        return config_fields.print_help(words)
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(config_fields.ASKED, action="store_true", help=config_fields.HELP)
    parser.add_argument("--config", required=True, help="FILE:SIZE; fields are changed as --config.a.b=value")
    parser.add_argument("--workdir", type=path_arguments.names, help="run folder, made or continued")
    parser.add_argument(
        "--init_from", type=path_arguments.names, help="run folder whose latest checkpoint gives the first weights"
    )
    parser.add_argument(
        "--allow_changed", default="", help="config fields, by comma, that may differ from the run's own"
    )
    parser.add_argument("--dry_run", metavar="DATAxFSDP", help="compile for so many devices, print what it takes, stop")
    parser.add_argument("--accelerator", default="h100", help=f"of --dry_run: {', '.join(PEAK)}")
    parser.add_argument("--dry_run_out", type=path_arguments.output_file, help="JSON file of its figures")
    hosts.add_flags(parser)
    known, overrides = parser.parse_known_args(words)
    if known.dry_run:
        figures = dry_run(config.load_config(known.config, overrides), known.dry_run, known.accelerator)
        if known.dry_run_out:
            write_figures(known.dry_run_out, [figures])
        return 0
    hosts.join_by_flags(known, os.environ)
    with together():
        return start(
            known.config,
            overrides,
            known.workdir,
            init_from=known.init_from,
            allow_changed=[name for name in known.allow_changed.split(",") if name],
            host_timeout_s=known.host_timeout,
        )
