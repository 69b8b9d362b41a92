"""Training of a delineation on some records of a store, and its classes of others: one fold of a cross-validation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int8, Int64

from cgdmer_jax.batch import Batch
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import Lines, Loader, sequential_batches
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.batched import records_at_once
from cgdmer_jax.methods.delineate.method import ENCODER, Delineate, Delineator
from cgdmer_jax.methods.finetune.config import SCRATCH
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.starting_encoder import StartingEncoder
from cgdmer_jax.recipes.training_run import first_state
from cgdmer_jax.training import sharding
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.sharding import place_batch
from cgdmer_jax.training.state import NEVER
from cgdmer_jax.training.step import make_step

BATCH_SIZE, LEARNING_RATE, WARMUP = 16, 1e-3, 0.1

Delineated = Int8[np.ndarray, "record lead time"]  # a class for each sample, as in the record column `waves`
TrainedFold = Callable[[Lines, Lines], Delineated]  # lines to learn from, lines to delineate


def on_encoder(encoder: StartingEncoder, *, init: str, trained: str) -> tuple[Delineate, Variables | None]:
    """The method, and the weights that its encoder starts from; None: from scratch."""
    contract = encoder.contract
    size = {"n_leads": len(contract.leads), "n_samples": contract.samples, "rate": contract.rate}
    size["max_tokens"] = encoder.max_tokens
    wrapped = make_method(encoder.name, encoder.fields, **size, **build.of_tokenizer(encoder.tokenizer))
    if not wrapped.declared.tokens or wrapped.declared.joint_leads:
        raise CgdmerError(
            f"the encoder is of {encoder.name}, whose tokens are not each of one lead; delineation needs one that has "
            "these, such as cgdmer or kmerl"
        )
    method = Delineate(wrapped, trained=trained, from_scratch=init == SCRATCH, **size)
    return method, None if init == SCRATCH else method.of_encoder(encoder.variables)


def fold_trainer(
    method: Delineator, weights: Variables | None, corpus: Corpus, *, max_tokens: int, steps: int, seed: int
) -> TrainedFold:
    """A function that trains anew, always from the same first weights, and is compiled once for all folds.

    `weights`: of the encoder, in place of those that the seed draws. The corpus has the column `waves`.
    """
    for name, value, least in (("steps", steps, 1), ("seed", seed, -(1 << 31))):
        if not least <= value < 1 << 31:
            raise CgdmerError(f"--{name} is {value}; give a whole number from {least:,} to {(1 << 31) - 1:,}")
    tokens = np.zeros((len(corpus.texts), max_tokens), np.int32)  # no report is read
    mesh = sharding.make_mesh()
    sharding.check_batch_size(BATCH_SIZE, mesh)
    config = OptimizerConfig(steps=steps, learning_rate=LEARNING_RATE, warmup_fraction=WARMUP)
    key = jax.random.key(seed)
    blank = next(sequential_batches(corpus, np.zeros(1, np.int64), tokens, tokens > 0, BATCH_SIZE))[0]
    start, optimizer = first_state(method, config, blank, key, mesh)
    if weights is not None:
        given = Variables(start.variables.params | {ENCODER: weights.params}, {ENCODER: weights.state})
        placed = jax.tree.map(lambda new, old: jax.device_put(new, old.sharding), given, start.variables)
        start = start._replace(variables=placed)
    step = make_step(method, optimizer, key, steps)

    @jax.jit
    def classes_of(variables: Variables, batch: Batch) -> Int8[Array, "batch lead time"]:
        found = method.wave_logits(variables, batch).argmax(-1).astype(jnp.int8)
        return jnp.where(batch.lead_mask[:, :, None], found, 0)

    def trained_fold(fit: Int64[np.ndarray, "fit"], score: Int64[np.ndarray, "score"]) -> Delineated:
        if len(fit) < BATCH_SIZE:
            raise CgdmerError(
                f"store {corpus.stores[0].path} has {len(fit)} records with marked waves to learn from, and a step "
                f"reads {BATCH_SIZE}; give a store of more"
            )
        loader = Loader(corpus, fit, tokens, tokens > 0, batch_size=BATCH_SIZE, seed=seed)
        state = jax.tree.map(jnp.copy, start)  # a step overwrites what it is given
        with progress_bar(steps, "step", "delineate") as progress:
            for batch in loader.prefetch(0, steps):
                state, _ = step(state, place_batch(batch, mesh))
                progress.update()
        if (bad := int(state.first_bad_step)) != NEVER:
            raise CgdmerError(f"loss or gradient was not finite at step {bad}; give another --seed or fewer --steps")
        batches = sequential_batches(corpus, score, tokens, tokens > 0, records_at_once())
        return np.concatenate([np.asarray(classes_of(state.variables, batch))[:n] for batch, n in batches])

    return trained_fold
