"""Fine-tuning from a config: encoder, store, labels, method, first state, loop."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.data.record_columns import with_record_columns
from cgdmer_jax.data.text.tokenizer import load_tokenizer
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import from_fields
from cgdmer_jax.methods.finetune.config import PRETRAINED
from cgdmer_jax.methods.finetune.method import ENCODER, Finetune
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.config_fields import check_fields, check_method
from cgdmer_jax.recipes.labelled import LabelledLines, labelled_lines, make_validation
from cgdmer_jax.recipes.pretrain import facts
from cgdmer_jax.recipes.starting_encoder import StartingEncoder
from cgdmer_jax.recipes.training_run import TrainingSetup, first_state, train_in
from cgdmer_jax.recipes.utilisation import share_a_record
from cgdmer_jax.training import sharding
from cgdmer_jax.training.coordination import check_same
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.state import TrainState

CONFIG = "configs/finetune.py"


class Ready(NamedTuple):
    """Everything that is known before a weight is made."""

    config: ConfigDict  # filled in
    corpus: Corpus
    roles: LabelledLines
    contract: InputContract
    tokenizer: Tokenizer
    method: Finetune
    weights: Variables | None  # of the encoder; None: from scratch, or of a run that has its own


def finetune(
    config: ConfigDict,
    workdir: Path,
    load_encoder: Callable[[], StartingEncoder],
    *,
    allowed: tuple[str, ...] = (),
    host_timeout_s: float = 600.0,
) -> int:
    """Trains in a run folder to the last step, to the end of its patience or to a stop signal; 0, or 75 = stopped.

    - `config`: of `load_config`; its store, task and `encoder_from` are set.
    - `load_encoder`: reads the encoder; not called for a run that goes on, which holds all that it needs.
    - `allowed`, `host_timeout_s`: as of `pretrain`.
    """
    run = RunFolder(workdir)
    ready = prepare(config, run, load_encoder, allowed)
    config, corpus, method = ready.config, ready.corpus, ready.method
    mesh = sharding.make_mesh(tuple(config.run.mesh))
    sharding.check_batch_size(config.data.batch_size, mesh)
    corpus = with_record_columns(corpus, method.declared.record_columns)
    table = token_table(corpus, ready.tokenizer, config.data.max_tokens)
    loader = Loader(
        corpus, ready.roles.fit, table.tokens, table.mask, batch_size=config.data.batch_size, seed=config.seed,
        process_index=jax.process_index(), process_count=jax.process_count(),
    )  # fmt: skip
    print(
        f"{len(ready.roles.fit)} records to learn from, {loader.steps_per_epoch} steps an epoch; "
        f"{len(ready.roles.choose)} to choose on; {len(method.config.classes)} classes"
    )
    words = {"--workdir": workdir.absolute(), "--allow_changed": ",".join(allowed)}
    check_same(words | facts(config, corpus, ready.tokenizer, loader), host_timeout_s)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())
    key = jax.random.key(config.seed)
    print("setting up the model, up to a minute")
    state, optimizer = first_state(method, optimizer_config, loader.batch(0), key, mesh)
    if ready.weights is not None:
        state = with_encoder(state, method, ready.weights)
    n_records = from_fields(RunConfig, config.run.to_dict()).validation_records
    parts = TrainingSetup(
        method,
        state,
        optimizer,
        optimizer_config,
        key,
        batches=loader.prefetch,
        validate=make_validation(
            method,
            corpus,
            ready.roles.choose,
            table,
            n_records=n_records,
            batch_size=config.data.batch_size,
            mesh=mesh,
        ),
        diagnose=lambda variables: {},  # there is one term
        contract=ready.contract,
        tokenizer=ready.tokenizer,
        share_a_record=share_a_record(method, state.variables, loader.batch(0), key),
        given_weights=config.method.init == PRETRAINED,
        patience=config.method.patience,
    )
    _, code = train_in(run, config, parts, allowed=allowed, mesh=mesh)
    return code


def prepare(
    config: ConfigDict, run: RunFolder, load_encoder: Callable[[], StartingEncoder], allowed: tuple[str, ...] = ()
) -> Ready:
    """Opens and checks everything, the run's own encoder where it goes on; nothing is written."""
    config = check_fields(config)
    if len(config.data.stores) != 1:
        raise CgdmerError(f"--store names {len(config.data.stores)} stores; fine-tuning learns the labels of one")
    (store,) = config.data.stores
    corpus = open_corpus((store,))
    if not corpus.stores[0].tasks:
        raise CgdmerError(f"store {store} has no labels to learn; convert its source with labels (docs/own_data.md)")
    classes = tuple(label.code for label in corpus.classes(config.method.task))
    config, encoder = _with_encoder_filled_in(config, run, load_encoder)
    contract = run.contract() if encoder is None else encoder.contract
    build.check_contract(contract, corpus, store)
    data = config.data
    roles = labelled_lines(corpus, config.method.task, data.split, data.label_fraction, config.seed)
    with config.unlocked(), config.ignore_type():
        config.method.classes = classes
        data.batch_size = min(data.batch_size, len(roles.fit))
    run.check(config.to_dict(), allowed)
    check_method(config)
    if encoder is None:
        if corpus.fingerprint not in {part.fingerprint for part in contract.trained_on}:
            raise CgdmerError(f"{run.path} was not trained on store {store}; give its own, or take another --workdir")
        tokenizer, weights = load_tokenizer(run.checked_tokenizer()), None
    else:
        tokenizer, weights = encoder.tokenizer, encoder.variables if config.method.init == PRETRAINED else None
        before = contract.trained_on if weights is not None else ()
        contract = build.make_contract(corpus, tokenizer, contract.scaling, before)
    method = build.make_method(config, contract, tokenizer)
    return Ready(config, corpus, roles, contract, tokenizer, method, weights)


def _with_encoder_filled_in(
    config: ConfigDict, run: RunFolder, load_encoder: Callable[[], StartingEncoder]
) -> tuple[ConfigDict, StartingEncoder | None]:
    """The config with the encoder's name, config and longest report; the encoder too where the run is new."""
    config = config.copy_and_resolve_references()
    encoder = None
    if any(run.checkpoints.glob("*/manifest.json")):  # it holds weights of its own
        known = run.config()
        method, data = known.get("method"), known.get("data")
        if not isinstance(method, dict) or not isinstance(data, dict) or ENCODER not in method:
            raise CgdmerError(f"{run.path} is no run of fine-tuning; take another --workdir")
        name, fields, max_tokens = method.get("encoder_name"), method[ENCODER], data.get("max_tokens")
    else:
        encoder = load_encoder()
        name, fields, max_tokens = encoder.name, encoder.fields, encoder.max_tokens
    with config.unlocked(), config.ignore_type():
        config.method.encoder_name, config.method.encoder = name, fields
        config.data.max_tokens = max_tokens
    return config, encoder


def with_encoder(state: TrainState, method: Finetune, weights: Variables) -> TrainState:
    """The state of step 0 with these weights of the encoder, each where training wants it."""
    encoder = method.of_encoder(weights)
    given = method.started(state.variables.params | {ENCODER: encoder.params}, encoder.state)
    # Copies: a weight and its average must not be one buffer, which the step would write to twice.
    placed = jax.tree.map(lambda new, old: jax.device_put(jnp.copy(new), old.sharding), given, state.variables)
    return state._replace(variables=placed)
