"""A run folder as a method with weights, and its features of a corpus, cached by content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.text.tokenizer import load_tokenizer, tokenizer_sha256
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.run_folder import REMEDY, RunFolder
from cgdmer_jax.training.state import NEVER, TrainState


@dataclass(frozen=True)
class Trained:
    """A finished run as evaluation needs it."""

    folder: RunFolder
    config: ConfigDict
    contract: InputContract
    tokenizer: Tokenizer
    method: Method
    init: Callable  # its `init`, compiled once for all seeds
    variables: Variables
    step: int
    checkpoint: str  # sha256 of its manifest


def load_run(path: Path, step: int | None) -> Trained:
    """The run's last checkpoint, or the one of `step`; while it trains, too."""
    folder = RunFolder(path)
    config, contract = ConfigDict(folder.config()), folder.contract()
    tokenizer = load_tokenizer(folder.checked_tokenizer())
    if not folder.seals_tokenizer() and tokenizer_sha256(tokenizer) != contract.tokenizer_sha256:
        raise CgdmerError(f"{folder.tokenizer} is not the tokenizer of this run (sha256 in input.json); {REMEDY}")
    method = build.make_method(config, contract, tokenizer)
    checkpoints = Checkpoints(folder.checkpoints, keep_last=1)
    checkpoints.latest()  # raises before anything is compiled where there is none
    # Of the state only the variables are read; the optimiser may be whatever it was.
    init = jax.jit(method.init)
    like = TrainState(jnp.int32(0), _first_variables(init, contract, config, 0), None, jnp.int32(NEVER))
    with checkpoints:
        variables, found, sha256 = checkpoints.restore_variables(step, like)
    return Trained(folder, config, contract, tokenizer, method, init, variables, found, sha256)


def random_variables(trained: Trained, seed: int) -> Variables:
    """The same architecture before any training."""
    return _first_variables(trained.init, trained.contract, trained.config, seed)


def _first_variables(init: Callable, contract: InputContract, config: ConfigDict, seed: int) -> Variables:
    return init(jax.random.key(seed), build.blank_batch_of(2, contract, config.data.max_tokens))
