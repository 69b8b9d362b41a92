"""MERL's released weights as a run folder."""

import dataclasses
from pathlib import Path

import jax
from ml_collections import ConfigDict

from cgdmer_jax.contract import InputContract, TrainedOn
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.text.tokenizer import save_tokenizer
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import from_fields
from cgdmer_jax.interop.merl_names import TOWER
from cgdmer_jax.interop.torch_weights import read_merl
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.config_fields import check_fields, check_method
from cgdmer_jax.recipes.pretrained_text import with_architecture, with_tower
from cgdmer_jax.recipes.training_run import first_state
from cgdmer_jax.training import sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_folder import RunFolder

# Nobody published which patients: evaluations on MIMIC-IV-ECG are in-domain, leaks cannot be found by hash.
THEIRS = TrainedOn("mimic-iv-ecg", "released weights", (), ())


def import_merl(weights: Path, config: ConfigDict, store: str, run: RunFolder) -> None:
    """Writes the run folder: one checkpoint, of step 0."""
    if run.exists():
        raise CgdmerError(f"{run.path} is a run already; take another --out")
    config = check_fields(config)
    with config.unlocked():
        config.data.stores = (store,)
    config, tower = with_architecture(config, run)
    check_method(config)
    if config.method_name != "merl" or tower is None:
        raise CgdmerError("--config is no config of MERL with a text tower; give configs/merl.py:SIZE")
    corpus = open_corpus((store,))
    contract = dataclasses.replace(
        build.make_contract(corpus, tower.tokenizer, build.scaling_of(config)), trained_on=(THEIRS,)
    )
    method = build.make_method(config, contract, tower.tokenizer)
    state = _with_released(_first_state(method, config, contract), weights)
    with run.locked(), Checkpoints(run.checkpoints, keep_last=1) as checkpoints:
        save_tokenizer(tower.tokenizer, run.tokenizer)
        run.begin(config.to_dict(), build.run_environment(), contract)
        checkpoints.save(with_tower(state, tower), None)
    print(f"{run.path}: evaluate it as any run")


def _first_state(method, config: ConfigDict, contract: InputContract):
    batch = build.blank_batch_of(2, contract, config.data.max_tokens)
    optimizer = from_fields(OptimizerConfig, config.optimizer.to_dict())
    return first_state(method, optimizer, batch, jax.random.key(0), sharding.make_mesh())[0]


def _with_released(state, weights: Path):
    """The released arrays in the places of those that the state began with."""
    params = state.variables.params
    own = {name: part for name, part in params.items() if name != text_tower.NAME}
    released = read_merl(weights, Variables(own, state.variables.state))
    print(f"{weights.name}: tensors left out: {released.told()}")
    print(f"{TOWER}* is its text tower, in whose place stands --config.method.text_tower; they are not compared")
    tower = {text_tower.NAME: params[text_tower.NAME]}
    variables = Variables(jax.device_put(released.variables.params) | tower, jax.device_put(released.variables.state))
    return state._replace(variables=variables)
