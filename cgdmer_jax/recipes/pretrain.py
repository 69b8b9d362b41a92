"""Pretraining from a config: store, tokenizer, method, first state, loop."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Int64
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax import provenance
from cgdmer_jax.config import flat, load_config, suggest_field
from cgdmer_jax.contract import CONVERSION, InputContract
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.data.record_columns import with_record_columns
from cgdmer_jax.data.text.tokenizer import load_tokenizer, tokenizer_sha256
from cgdmer_jax.data.token_table import TokenTable, token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import from_fields
from cgdmer_jax.interop.huggingface import TextTower
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.asked_entities import with_entities, with_known_entities
from cgdmer_jax.recipes.config_fields import check_fields, check_method
from cgdmer_jax.recipes.gradient_norms import make_diagnosis
from cgdmer_jax.recipes.pretrained_text import tower_name, with_architecture, with_tower
from cgdmer_jax.recipes.text_columns import with_columns
from cgdmer_jax.recipes.training_run import TrainingSetup, first_state, train_in
from cgdmer_jax.recipes.utilisation import share_a_record
from cgdmer_jax.recipes.validation import make_validation
from cgdmer_jax.renamed_fields import RENAMED, tell
from cgdmer_jax.training import sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.coordination import check_same, of_first
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.state import TrainState


def start(
    spec: str,
    overrides: Sequence[str],
    workdir: str | None,
    *,
    init_from: str | None = None,
    allow_changed: Sequence[str] = (),
    host_timeout_s: float = 600.0,
) -> int:
    """`pretrain` with the config of a file; the exit code.

    - `spec`: FILE:SIZE, as --config has it.
    - `overrides`: fields that differ from that, as --config.a.b=value.
    - `allow_changed`: fields that may differ from the run's own, under today's name or an earlier one.
    """
    config = load_config(spec, overrides)
    if not workdir:
        raise CgdmerError("--workdir is missing; name the run folder, made or continued")
    for name in RENAMED.keys() & set(allow_changed):
        tell(name)
    allowed = tuple(RENAMED.get(name, name) for name in allow_changed)
    fields = flat(config.to_dict())
    for name in allowed:
        if name not in fields:
            raise CgdmerError(f"--allow_changed: the config has no field {name}.{suggest_field(name, fields)}")
    return pretrain(config, Path(workdir), init_from=init_from, allowed=allowed, host_timeout_s=host_timeout_s)


def pretrain(
    config: ConfigDict,
    workdir: Path,
    *,
    init_from: str | None = None,
    allowed: tuple[str, ...] = (),
    host_timeout_s: float = 600.0,
) -> int:
    """Trains in a run folder to the last step or to a stop signal; the exit code, 0 or 75 = stopped and saved.

    - `config`: of `load_config`, possibly changed.
    - `workdir`: the run folder. One that exists continues from its last checkpoint, bit for bit.
    - `init_from`: run folder whose latest checkpoint gives the first weights.
    - `allowed`: config fields, such as "optimizer.steps", that may differ from the run's own.
    - `host_timeout_s`: seconds to wait for the other hosts of a job of several.

    The folder is made once everything is checked. Raises CgdmerError where a store cannot be read or does not fit,
    where a field has a value that no method takes, where the run was begun with another config, and where the loss is
    no longer finite.
    """
    run = RunFolder(workdir)
    config = build.as_begun(config, run)
    config = check_fields(config)
    build.check_pretrains(config.method_name)
    config, tower = with_architecture(config, run)
    config = with_known_entities(config, run)
    run.check(config.to_dict(), allowed)  # first: it names another encoder than the run's
    check_method(config)
    given = RunFolder(Path(init_from)) if init_from is not None else None
    mesh = sharding.make_mesh(tuple(config.run.mesh))
    sharding.check_batch_size(config.data.batch_size, mesh)
    corpus = open_corpus(tuple(config.data.stores))
    build.check_cleaning(corpus)
    tokenizer = _tokenizer(run, tower, config, corpus)
    config = with_entities(config, corpus, tokenizer)
    contract = _input_contract(run, build.scaling_of(config), corpus, tokenizer, given)
    method = build.make_method(config, contract, tokenizer)
    corpus = with_record_columns(corpus, method.declared.record_columns)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    run_config = from_fields(RunConfig, config.run.to_dict())
    table = with_columns(token_table(corpus, tokenizer, config.data.max_tokens), config, method, corpus, tokenizer)
    loader = make_loader(config, corpus, table)
    words = {"--workdir": workdir.absolute(), "--init_from": init_from, "--allow_changed": ",".join(allowed)}
    check_same(words | facts(config, corpus, tokenizer, loader), host_timeout_s)
    print("setting up the model, up to a minute")
    key = jax.random.key(config.seed)
    state, optimizer = first_state(method, optimizer_config, loader.batch(0), key, mesh)
    is_new = of_first("the run is new", lambda: not Checkpoints(run.checkpoints, keep_last=1).steps())
    if is_new and given is not None:
        state = _with_given_weights(state, given)
    elif is_new and tower is not None:
        state = with_tower(state, tower)
    parts = TrainingSetup(
        method,
        state,
        optimizer,
        optimizer_config,
        key,
        batches=loader.prefetch,
        validate=make_validation(method, corpus, table, config, run_config.validation_records, mesh),
        diagnose=make_diagnosis(method, corpus, table, config, mesh),
        contract=contract,
        tokenizer=tokenizer,
        share_a_record=share_a_record(method, state.variables, loader.batch(0), key),
        given_weights=given is not None or bool(tower_name(config)),
    )
    _, code = train_in(run, config, parts, allowed=allowed, mesh=mesh)
    return code


def facts(config: ConfigDict, corpus: Corpus, tokenizer: Tokenizer, loader: Loader) -> dict[str, object]:
    """Facts that must agree on all hosts before any of them computes."""
    return {
        "the code (sha256)": provenance.code_sha256(),
        "the version of jax": jax.__version__,
        "the number of devices": jax.local_device_count(),
        "the store fingerprint": corpus.fingerprint,
        "the tokenizer (sha256)": tokenizer_sha256(tokenizer),
        "the order of the training records (sha256)": loader.order_sha256(),
        **{f"config.{name}": value for name, value in flat(config.to_dict()).items()},
    }


def _tokenizer(run: RunFolder, tower: TextTower | None, config: ConfigDict, corpus: Corpus) -> Tokenizer:
    if run.exists():
        return load_tokenizer(run.checked_tokenizer())
    return build.make_tokenizer(config, corpus) if tower is None else tower.tokenizer


def make_loader(config: ConfigDict, corpus: Corpus, table: TokenTable) -> Loader:
    """Shuffled batches of the training split; says how much there is."""
    loader = Loader(
        corpus,
        training_lines(corpus, config.data.leave_out),
        table.tokens,
        table.mask,
        table.columns,
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


def _input_contract(
    run: RunFolder, scaling: str, corpus: Corpus, tokenizer: Tokenizer, given: RunFolder | None
) -> InputContract:
    """The run's own when it exists, else a new one; refuses stores or first weights that do not fit it."""
    if run.exists():
        known, made = build.completed(run.contract(), corpus.stores), build.make_contract(corpus, tokenizer, scaling)
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
    theirs = build.completed(theirs, corpus.stores)
    for field in (*CONVERSION, "scaling"):
        # Recordings of theirs, too, are known again by their samples: these must have been made in the same way.
        if getattr(made, field) != getattr(theirs, field):
            raise CgdmerError(
                f"--init_from={given.path} was trained with {field} {getattr(theirs, field)}, here it is "
                f"{getattr(made, field)}; convert the recordings, or choose the config, as that run has it (input.json)"
            )
    return made


def _with_given_weights(state: TrainState, given: RunFolder) -> TrainState:
    theirs = Checkpoints(given.checkpoints, keep_last=1).restore_latest_variables(state, print)
    if theirs is None:
        raise CgdmerError(f"--init_from={given.path} has no checkpoint; give a run folder that has one")
    print(f"starting from the weights of {given.path}")
    return state._replace(variables=theirs)
