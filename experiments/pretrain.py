"""Pretrains a method on converted stores; the same command again goes on where it stopped."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Loader, shuffled
from cgdmer_jax.data.reports import load_tokenizer, save_tokenizer
from cgdmer_jax.data.tokens import TokenTable, token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.retrieval import recall_at
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.training import loop, sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import MetricsLog
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer, schedule
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.state import TrainState, start
from cgdmer_jax.training.step import make_step
from experiments import build, command

EXAMPLE = (
    "python -m experiments.pretrain --config=configs/cgdmer.py:nano --workdir=runs/ptbxl-nano "
    "--config.data.stores=stores/ptbxl100 --config.optimizer.steps=2000"
)


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="FILE:SIZE; fields are changed as --config.a.b=value")
    parser.add_argument("--workdir", required=True, help="run folder, made or continued")
    parser.add_argument("--init_from", help="run folder whose latest checkpoint gives the first weights")
    parser.add_argument(
        "--allow_changed", default="", help="config fields, by comma, that may differ from the run's own"
    )
    known, overrides = parser.parse_known_args(words)
    config = command.load_config(known.config, overrides)
    allowed = tuple(name for name in known.allow_changed.split(",") if name)
    return pretrain(config, Path(known.workdir), init_from=known.init_from, allowed=allowed)


def pretrain(config: ConfigDict, workdir: Path, *, init_from: str | None = None, allowed: tuple[str, ...] = ()) -> int:
    """Runs to the end or to a stop signal; returns the exit code."""
    mesh = sharding.make_mesh()
    sharding.check_batch_size(config.data.batch_size, mesh)
    corpus = open_corpus(tuple(config.data.stores))
    run = RunFolder(workdir)
    tokenizer = load_tokenizer(run.tokenizer) if run.exists() else build.make_tokenizer(config, corpus)
    contract = build.make_contract(corpus, tokenizer)
    if run.exists() and run.contract() != contract:
        raise CgdmerError(
            f"{run.path / 'input.json'} does not fit the stores or the tokenizer given now; "
            "continue with the stores the run was started with, or take another --workdir"
        )
    save_tokenizer(tokenizer, run.tokenizer)
    run.begin(config.to_dict(), build.run_environment("experiments.pretrain"), contract, allowed)
    table = token_table(corpus, tokenizer, config.data.max_tokens, cache=run.tokenizer)

    method = build.make_method(config, contract, tokenizer)
    optimizer_config = build.from_fields(OptimizerConfig, config.optimizer.to_dict())
    key = jax.random.key(config.seed)
    loader = Loader(
        corpus,
        corpus.lines("train"),
        table.tokens,
        table.mask,
        batch_size=config.data.batch_size,
        seed=config.seed,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    print(
        f"{len(loader.selected)} training records, {loader.steps_per_epoch} steps an epoch, "
        f"{tokenizer.get_vocab_size()} word pieces, {table.n_cut} of {len(table.tokens)} texts cut at "
        f"{config.data.max_tokens}"
    )
    state, optimizer = first_state(method, optimizer_config, loader.batch(0), key, mesh)
    checkpoints = Checkpoints(run.checkpoints, config.run.keep_last)
    checkpoints.remove_unfinished()
    log = MetricsLog(run.metrics)
    state = _start_order(state, checkpoints, init_from)
    log.cut_after(int(state.step))
    run_fields = config.run.to_dict()
    validate = make_validation(method, corpus, table, config, run_fields.pop("validation_records"))
    state, code = loop.train(
        state,
        make_step(method, optimizer, key, optimizer_config.steps),
        loader.prefetch,
        validate,
        schedule(optimizer_config),
        steps=optimizer_config.steps,
        config=loop.RunConfig(**run_fields),
        mesh=mesh,
        checkpoints=checkpoints,
        log=log,
    )
    checkpoints.close()
    print(f"step {int(state.step)} of {optimizer_config.steps} saved in {run.checkpoints}")
    return code


def first_state(method: Method, config: OptimizerConfig, batch, key, mesh):
    """(state from scratch on every device, optimiser)."""
    shapes = jax.eval_shape(method.init, key, batch)
    optimizer = make_optimizer(config, shapes.params)
    make = jax.jit(lambda k, b: start(method.init(k, b), optimizer), out_shardings=sharding.replicated(mesh))
    return make(key, batch), optimizer


def _start_order(state: TrainState, checkpoints: Checkpoints, init_from: str | None) -> TrainState:
    """Own run, else given weights, else scratch."""
    restored = checkpoints.restore_latest(state, print)
    if restored is not None:
        print(f"continuing at step {int(restored.step)}")
        return restored
    if init_from is None:
        return state
    given = Checkpoints(RunFolder(Path(init_from)).checkpoints, keep_last=1).restore_latest(state, print)
    if given is None:
        raise CgdmerError(f"--init_from={init_from} has no checkpoint; give a run folder that has one")
    print(f"starting from the weights of {init_from}, step {int(given.step)}")
    placed = jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), given.variables, state.variables)
    return state._replace(variables=placed)


def make_validation(method: Method, corpus: Corpus, table: TokenTable, config: ConfigDict, n_records: int):
    """variables -> loss, its terms and retrieval recall on the same validation records with the same draws."""
    lines = corpus.lines("validation")
    if len(lines) < config.data.batch_size:
        raise CgdmerError(
            f"the validation split has {len(lines)} records, fewer than config.data.batch_size {config.data.batch_size}"
        )
    chosen = lines[np.sort(shuffled(len(lines), "validation")[:n_records])]

    @jax.jit
    def measure(variables: Variables, batch, key):
        draws = method.draw(key, batch, jnp.float32(1))
        loss, aux = method.loss(variables, batch, draws, train=False)
        text = method.embed_text(variables, batch.tokens, batch.token_mask)
        return {"loss": loss, **aux.terms}, method.embed_ecg(variables, batch)["aligned"], text

    def validate(variables: Variables) -> dict[str, float]:
        sums, ecg, text, ids = {}, [], [], []
        key = jax.random.key(config.seed + 1)
        n_batches = len(chosen) // config.data.batch_size  # whole batches: the loss of a padded one would differ
        whole = chosen[: n_batches * config.data.batch_size]
        for number, (batch, _) in enumerate(build.read_batches(corpus, whole, table, config.data.batch_size)):
            terms, e, t = measure(variables, batch, jax.random.fold_in(key, number))
            sums = {name: sums.get(name, 0.0) + float(value) / n_batches for name, value in terms.items()}
            ecg.append(np.asarray(e))
            text.append(np.asarray(t))
            ids.append(batch.text_id)
        del sums["temperature"]
        recall = recall_at(np.concatenate(ecg), np.concatenate(text), np.concatenate(ids), k=10)
        return sums | {"ecg_to_text_recall_at_10": recall}

    return validate


if __name__ == "__main__":
    command.run(main)
