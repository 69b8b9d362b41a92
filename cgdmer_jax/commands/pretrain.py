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
    several = parser.add_argument_group("several hosts (docs/pods.md)")
    several.add_argument("--coordinator", help=f"HOST:PORT of process 0, or {hosts.CLOUD_TPU} on the VMs of a TPU")
    several.add_argument("--processes", type=int, default=0, help="number of hosts, a process each")
    several.add_argument("--process", type=int, default=-1, help="number of this one, from 0")
    several.add_argument(
        "--host_timeout", type=float, default=600.0, help="seconds to wait for the others (default 600)"
    )
    known, overrides = parser.parse_known_args(words)
    if known.dry_run:
        figures = dry_run(config.load_config(known.config, overrides), known.dry_run, known.accelerator)
        if known.dry_run_out:
            write_figures(known.dry_run_out, [figures])
        return 0
    if known.coordinator:
        job = hosts.given_job(known.coordinator, known.processes, known.process)
    else:
        job = hosts.find_job(os.environ)
    if job is not None:
        hosts.join(job, known.host_timeout)
    with together():
        return start(
            known.config,
            overrides,
            known.workdir,
            init_from=known.init_from,
            allow_changed=[name for name in known.allow_changed.split(",") if name],
            host_timeout_s=known.host_timeout,
        )
