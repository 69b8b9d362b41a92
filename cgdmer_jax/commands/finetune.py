"""Fine-tunes a pretrained encoder on the labels of a converted store, scores it, and goes on where it was stopped.

docs/finetuning.md tells what is made. `python -m experiments.export_model --run=WORKDIR` makes a model of it whose
`predict` gives the probability of each class.
"""

import os

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import flat, load_config, suggest_field
from cgdmer_jax.data.splits import PROBE_FOLDS
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.finetuned import score_finetuned
from cgdmer_jax.methods.finetune.config import PRETRAINED, SCRATCH
from cgdmer_jax.recipes import config_fields
from cgdmer_jax.recipes.dry_run import dry_run_finetuning
from cgdmer_jax.recipes.finetune import CONFIG, finetune
from cgdmer_jax.recipes.starting_encoder import StartingEncoder, encoder_of_model, encoder_of_run
from cgdmer_jax.recipes.utilisation import PEAK
from cgdmer_jax.training import hosts
from cgdmer_jax.training.coordination import is_first, together

EXAMPLE = (
    "python -m experiments.finetune --run=runs/quickstart --store=stores/synthetic100 --task=findings --split=test "
    "--workdir=runs/finetuned"
)


def main(words: list[str]) -> int:
    if config_fields.ASKED in words:
        return config_fields.print_help(words, CONFIG)
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(config_fields.ASKED, action="store_true", help=config_fields.HELP)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--run", type=path_arguments.path, help="run folder of the pretrained encoder")
    where.add_argument("--model", type=path_arguments.names, help="or its model folder, or hf://owner/name@revision")
    parser.add_argument("--store", type=path_arguments.names, required=True, help="converted store with labels")
    parser.add_argument("--task", required=True, help="which of its tasks is learned")
    parser.add_argument("--split", required=True, choices=tuple(PROBE_FOLDS), help="what is scored at the end")
    parser.add_argument("--workdir", type=path_arguments.path, required=True, help="run folder, made or continued")
    parser.add_argument(
        "--init", choices=(PRETRAINED, SCRATCH), default=PRETRAINED, help=f"{SCRATCH}: the same encoder untrained"
    )
    parser.add_argument("--config", default=CONFIG, help="FILE; fields are changed as --config.a.b=value")
    parser.add_argument(
        "--allow_changed", default="", help="config fields, by comma, that may differ from the run's own"
    )
    parser.add_argument("--dry_run", metavar="DATAxFSDP", help="compile for so many devices, print what it takes, stop")
    parser.add_argument("--accelerator", default="h100", help=f"of --dry_run: {', '.join(PEAK)}")
    hosts.add_flags(parser)
    known, overrides = parser.parse_known_args(words)
    config = load_config(known.config, overrides)
    config.method.update(init=known.init, task=known.task, encoder_from=str(known.run or known.model))
    config.data.update(stores=(known.store,), split=known.split)
    allowed = tuple(name for name in known.allow_changed.split(",") if name)
    fields = flat(config.to_dict())
    for name in allowed:
        if name not in fields:
            raise CgdmerError(f"--allow_changed: the config has no field {name}.{suggest_field(name, fields)}")

    def load_encoder() -> StartingEncoder:
        return encoder_of_run(known.run) if known.run else encoder_of_model(known.model)

    if known.dry_run:
        dry_run_finetuning(config, load_encoder, known.dry_run, known.accelerator)
        return 0
    hosts.join_by_flags(known, os.environ)
    with together():
        code = finetune(config, known.workdir, load_encoder, allowed=allowed, host_timeout_s=known.host_timeout)
    if code == 0 and is_first():
        score_finetuned(known.workdir, known.store, known.split, known.task)
    return code
