"""A run folder as a method with weights, and its features of a corpus, cached by content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.text.tokenizer import load_tokenizer, tokenizer_sha256
from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.interop.weights import check_finite
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.config_fields import check_stored
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
    file, stored = folder.path / "config.json", folder.config()
    contract = folder.contract()
    build.check_reads_recordings(stored.get("method_name"))
    check_stored(stored, file)
    try:
        config = ConfigDict(stored)
    except (ValueError, AttributeError) as error:  # "a.b", "__class__"
        sentence = f"{file} has a field of a name that no config can have ({reason_of(error)}); {REMEDY}"
        raise CgdmerError(sentence) from error
    tokenizer = load_tokenizer(folder.checked_tokenizer())
    if not folder.seals_tokenizer() and tokenizer_sha256(tokenizer) != contract.tokenizer_sha256:
        raise CgdmerError(f"{folder.tokenizer} is not the tokenizer of this run (sha256 in input.json); {REMEDY}")
    method = build.make_method(config, contract, tokenizer, f"{file}: method", REMEDY)
    checkpoints = Checkpoints(folder.checkpoints, keep_last=1)
    checkpoints.latest()  # raises before anything is compiled where there is none
    # Of the state only the variables are read; the optimiser may be whatever it was.
    init = jax.jit(method.init)
    like = TrainState(jnp.int32(0), _shapes(init, contract, config), None, jnp.int32(NEVER))
    with checkpoints:
        variables, found, sha256 = checkpoints.restore_variables(step, like)
    place = folder.checkpoints / str(found)
    for where, leaf in jax.tree_util.tree_leaves_with_path(variables):
        name = jax.tree_util.keystr(where, simple=True, separator="/")
        check_finite(place, name, np.asarray(leaf), "take another --checkpoint")
    return Trained(folder, config, contract, tokenizer, method, init, variables, found, sha256)


def random_variables(trained: Trained, seed: int) -> Variables:
    """The same architecture before any training."""
    return _first_variables(trained.init, trained.contract, trained.config, seed)


def _shapes(init: Callable, contract: InputContract, config: ConfigDict) -> Variables:
    """Shapes that the checkpoint must hold, to lie on one device; no weight is made, however large the config says."""
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    made = jax.eval_shape(init, jax.random.key(0), build.blank_batch_of(2, contract, config.data.max_tokens))
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), made)


def _first_variables(init: Callable, contract: InputContract, config: ConfigDict, seed: int) -> Variables:
    return init(jax.random.key(seed), build.blank_batch_of(2, contract, config.data.max_tokens))
