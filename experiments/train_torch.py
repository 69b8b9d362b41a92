"""Trains CG-DMER in PyTorch as a finished run was trained here: first weights, batches, draws and steps are the same.

What comes out is a run folder that experiments.evaluate reads like ours. It cannot be gone on with: the state of
PyTorch's optimiser is not in it.
"""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import from_fields
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.text.tokenizer import load_tokenizer, save_tokenizer
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.pretrain import make_loader
from cgdmer_jax.recipes.training_run import first_state
from cgdmer_jax.recipes.validation import make_validation
from cgdmer_jax.training import sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import MetricsLog
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import RunFolder

EXAMPLE = "python -m experiments.train_torch --run=runs/ptbxl-nano --workdir=runs/ptbxl-nano-torch"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--run", type=path_arguments.path, required=True, help="run folder of experiments.pretrain, from scratch"
    )
    parser.add_argument("--workdir", type=path_arguments.output_folder, required=True, help="run folder to make")
    args = parser.parse_args(words)
    train(RunFolder(args.run), RunFolder(args.workdir))
    return 0


def train(ours: RunFolder, made: RunFolder) -> None:
    """One checkpoint, after the last step, and the losses on the way; nothing before that can be gone on with."""
    from baselines.torch_cgdmer import training, weights  # --help needs no torch

    if made.checkpoints.exists():
        raise CgdmerError(f"{made.path} holds a run already; take another --workdir")
    config, tokenizer = ConfigDict(ours.config()), load_tokenizer(ours.checked_tokenizer())
    corpus = open_corpus(tuple(config.data.stores))
    method = build.make_method(config, ours.contract(), tokenizer)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    run_config = from_fields(RunConfig, config.run.to_dict())
    table = token_table(corpus, tokenizer, config.data.max_tokens)
    loader, key, mesh = make_loader(config, corpus, table), jax.random.key(config.seed), sharding.make_mesh()
    state, _ = first_state(method, optimizer_config, loader.batch(0), key, mesh)

    network, terms = weights.network_of(method)
    weights.transplant(state.variables.params, network)
    step = training.make_step(
        network,
        terms,
        method.patch_samples,
        optimizer_config,
        bfloat16=config.method.dtype == "bfloat16",
        compiled=False,
    )
    draw = jax.jit(method.draw)
    with made.locked(), Checkpoints(made.checkpoints, keep_last=1) as checkpoints:
        save_tokenizer(tokenizer, made.tokenizer)
        made.begin(config.to_dict(), build.run_environment(), ours.contract())
        log, steps = MetricsLog(made.metrics), optimizer_config.steps
        for number, batch in enumerate(loader.prefetch(0, steps)):
            drawn = draw(jax.random.fold_in(key, number), batch, jnp.int32(number) / steps)
            loss, found = step(number, weights.step_of(batch, drawn, "cpu"))
            if (number + 1) % run_config.log_every == 0:
                record = {"step": number + 1, "loss": float(loss)} | {n: float(v) for n, v in found.items()}
                log.write(record)
                print(f"step {number + 1} of {steps}: loss {record['loss']:.4f}", flush=True)
        found = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
        params = jax.tree.map(jnp.asarray, weights.params_of(found, state.variables.params))
        variables = Variables(params, state.variables.state)
        validated = make_validation(method, corpus, table, config, run_config.validation_records, mesh)(variables)
        log.write({"step": steps, **{f"validation_{name}": value for name, value in validated.items()}})
        checkpoints.save(state._replace(step=jnp.int32(steps), variables=variables), validated["loss"])


if __name__ == "__main__":
    cli.run(main)
