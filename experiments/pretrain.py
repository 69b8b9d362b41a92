"""Pretrains a method on converted stores; the same command again goes on where it stopped."""

import dataclasses
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int64
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Loader, shuffled
from cgdmer_jax.data.reports import load_tokenizer, save_tokenizer
from cgdmer_jax.data.tokens import TokenTable, token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.retrieval import recall_at
from cgdmer_jax.methods.make import from_fields
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.training import loop, placement, sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import MetricsLog
from cgdmer_jax.training.mirrors import open_mirrors
from cgdmer_jax.training.optimizer import OptimizerConfig, schedule
from cgdmer_jax.training.run_folder import RunFolder, flat
from cgdmer_jax.training.state import TrainState, start
from cgdmer_jax.training.step import make_step
from cgdmer_jax.training.stop import StopFlag
from experiments import build, command
from experiments.dry_run import PEAK, dry_run
from experiments.gradients import make_diagnosis

EXAMPLE = (
    "python -m experiments.pretrain --config=configs/cgdmer.py:nano --workdir=runs/ptbxl-nano "
    "--config.data.stores=stores/ptbxl100 --config.optimizer.steps=2000"
)


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="FILE:SIZE; fields are changed as --config.a.b=value")
    parser.add_argument("--workdir", help="run folder, made or continued")
    parser.add_argument("--init_from", help="run folder whose latest checkpoint gives the first weights")
    parser.add_argument(
        "--allow_changed", default="", help="config fields, by comma, that may differ from the run's own"
    )
    parser.add_argument("--dry_run", metavar="DATAxFSDP", help="compile for so many devices, print what it takes, stop")
    parser.add_argument("--accelerator", default="h100", help=f"of --dry_run: {', '.join(PEAK)}")
    known, overrides = parser.parse_known_args(words)
    config = command.load_config(known.config, overrides)
    if known.dry_run:
        dry_run(config, known.dry_run, known.accelerator)
        return 0
    if not known.workdir:
        raise CgdmerError("--workdir is missing; name the run folder, made or continued")
    allowed = tuple(name for name in known.allow_changed.split(",") if name)
    fields = flat(config.to_dict())
    for name in allowed:
        if name not in fields:
            raise CgdmerError(f"--allow_changed: the config has no field {name}.{command.suggest_field(name, fields)}")
    return pretrain(config, Path(known.workdir), init_from=known.init_from, allowed=allowed)


def pretrain(config: ConfigDict, workdir: Path, *, init_from: str | None = None, allowed: tuple[str, ...] = ()) -> int:
    """Runs to the end or to a stop signal; returns the exit code. The run folder is made once everything is checked."""
    run = RunFolder(workdir)
    run.check(config.to_dict(), allowed)
    given = RunFolder(Path(init_from)) if init_from is not None else None
    with StopFlag() as stop:
        mesh = sharding.make_mesh(tuple(config.run.mesh))
        sharding.check_batch_size(config.data.batch_size, mesh)
        corpus = open_corpus(tuple(config.data.stores))
        build.check_cleaning(corpus)
        tokenizer = load_tokenizer(run.tokenizer) if run.exists() else build.make_tokenizer(config, corpus)
        contract = _input_contract(run, config.method.scaling, corpus, tokenizer, given)
        method = build.make_method(config, contract, tokenizer)
        optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
        run_config, n_validation = _run_config(config)
        table = token_table(corpus, tokenizer, config.data.max_tokens)
        loader = make_loader(config, corpus, table)
        validate = make_validation(method, corpus, table, config, n_validation)
        diagnose = make_diagnosis(method, corpus, table, config)
        key = jax.random.key(config.seed)
        state, optimizer, placed = first_state(method, optimizer_config, loader.batch(0), key, mesh)
        new_from_given = given is not None and not Checkpoints(run.checkpoints, keep_last=1).steps()
        if new_from_given:
            state = _with_given_weights(state, given)
        with run.locked(), Checkpoints(run.checkpoints, config.run.keep_last) as checkpoints:
            run.check(config.to_dict(), allowed)
            if not run.exists():
                save_tokenizer(tokenizer, run.tokenizer)
            run.begin(config.to_dict(), build.run_environment(), contract)
            log = MetricsLog(run.metrics)
            state = _go_on(state, checkpoints, log)
            log.mirrors = open_mirrors(tuple(config.run.mirrors), workdir, int(state.step))
            if new_from_given:
                checkpoints.save(state, None)  # from here on the run needs the other folder no more
            first, begun = int(state.step), time.monotonic()
            state, code = loop.train(
                state,
                make_step(method, optimizer, key, optimizer_config.steps, placed),
                loader.prefetch,
                validate,
                diagnose,
                schedule(optimizer_config),
                steps=optimizer_config.steps,
                config=run_config,
                mesh=mesh,
                checkpoints=checkpoints,
                log=log,
                stop=stop,
            )
            run.finish(measured(first, int(state.step), time.monotonic() - begun, config.data.batch_size))
        print(f"step {int(state.step)} of {optimizer_config.steps}; checkpoints are in {run.checkpoints}")
        return code


def measured(first: int, last: int, seconds: float, batch_size: int) -> dict:
    """Of one start, for environment.json: its loop with compiling, validation and saving."""
    return {
        "first_step": first,
        "last_step": last,
        "seconds": round(seconds, 1),
        "records_per_second": round((last - first) * batch_size / seconds, 1) if last > first else None,
    }


def _run_config(config: ConfigDict) -> tuple[loop.RunConfig, int]:
    """The loop's part of `config.run`, and the number of validation records."""
    fields = config.run.to_dict()
    n_validation = fields.pop("validation_records")
    del fields["mirrors"], fields["mesh"]
    return from_fields(loop.RunConfig, fields), n_validation


def make_loader(config: ConfigDict, corpus: Corpus, table: TokenTable) -> Loader:
    """Shuffled batches of the training split; says how much there is."""
    loader = Loader(
        corpus,
        training_lines(corpus, config.data.leave_out),
        table.tokens,
        table.mask,
        batch_size=config.data.batch_size,
        seed=config.seed,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    print(
        f"{len(loader.selected)} training records, {loader.steps_per_epoch} steps an epoch, "
        f"{table.n_cut} of {len(table.tokens)} texts cut at {config.data.max_tokens} word pieces"
    )
    return loader


def training_lines(corpus: Corpus, leave_out: tuple[str, ...]) -> Int64[np.ndarray, "record"]:
    """Lines of the training split without those that any of these quality columns marks; says how many."""
    lines = corpus.lines("train")
    for column in leave_out:
        marked = corpus.marked(lines, column)
        print(f"{marked.sum()} of {len(lines)} training records are left out: {column}")
        lines = lines[~marked]
    return lines


def first_state(method: Method, config: OptimizerConfig, batch, key, mesh):
    """(state from scratch, made where it is to lie, optimiser, where it lies)."""
    shapes, optimizer = build.state_shapes(method, config, batch, key)
    placed = placement.shardings(shapes, mesh)
    placement.check_replicated(placement.placements(shapes, placed), mesh.shape["fsdp"])
    make = jax.jit(lambda k, b: start(method.init(k, b), optimizer), out_shardings=placed)
    return make(key, batch), optimizer, placed


def _input_contract(
    run: RunFolder, scaling: str, corpus: Corpus, tokenizer: Tokenizer, given: RunFolder | None
) -> InputContract:
    """The run's own when it exists, else a new one; refuses stores or first weights that do not fit it."""
    if run.exists():
        known, made = run.contract(), build.make_contract(corpus, tokenizer, scaling)
        same = dataclasses.replace(made, trained_on=known.trained_on) == known
        if not same or not {*made.trained_on} <= {*known.trained_on}:
            raise CgdmerError(
                f"{run.path / 'input.json'} does not fit the stores or the tokenizer found now; "
                "continue with the stores the run was started with, or take another --workdir"
            )
        return known
    if given is None:
        return build.make_contract(corpus, tokenizer, scaling)
    theirs = given.contract()
    made = build.make_contract(corpus, tokenizer, scaling, theirs.trained_on)
    if made.tokenizer_sha256 != theirs.tokenizer_sha256:
        raise CgdmerError(
            f"--init_from={given.path} was trained with other word pieces, its weights would read other words; "
            f"give --config.data.tokenizer={given.tokenizer}"
        )
    if (made.rate, made.scaling) != (theirs.rate, theirs.scaling):
        raise CgdmerError(
            f"--init_from={given.path} was trained at {theirs.rate:g} Hz with scaling {theirs.scaling}, the stores are "
            f"{made.rate:g} Hz with {made.scaling}; convert them with --rate={theirs.rate:g}"
        )
    return made


def _with_given_weights(state: TrainState, given: RunFolder) -> TrainState:
    theirs = Checkpoints(given.checkpoints, keep_last=1).restore_latest_variables(state, print)
    if theirs is None:
        raise CgdmerError(f"--init_from={given.path} has no checkpoint; give a run folder that has one")
    print(f"starting from the weights of {given.path}")
    return state._replace(variables=theirs)


def _go_on(state: TrainState, checkpoints: Checkpoints, log: MetricsLog) -> TrainState:
    """The run's own latest state, else the given one; what lies after its step is removed."""
    checkpoints.remove_unfinished()
    restored = checkpoints.restore_latest(state, print)
    if restored is not None:
        print(f"continuing at step {int(restored.step)}")
        state = restored
    elif (told := log.last_step()) > 0:
        print(f"metrics.jsonl tells of step {told}, but no checkpoint is there: starting at step 0 again")
    checkpoints.remove_after(int(state.step))
    log.cut_after(int(state.step))
    return state


def make_validation(method: Method, corpus: Corpus, table: TokenTable, config: ConfigDict, n_records: int):
    """variables -> loss, its terms and retrieval recall on the same validation records with the same draws."""
    lines = corpus.lines("validation")
    if min(len(lines), n_records) < config.data.batch_size:
        raise CgdmerError(
            f"the validation split has {len(lines)} records, of which config.run.validation_records takes {n_records}: "
            f"fewer than config.data.batch_size {config.data.batch_size}; choose a smaller batch"
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
        recall = recall_at(np.concatenate(ecg), np.concatenate(text), np.concatenate(ids), k=10)
        return sums | {"ecg_to_text_recall_at_10": recall}

    return validate


if __name__ == "__main__":
    command.run(main)
