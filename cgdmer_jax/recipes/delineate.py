"""Training of a delineation on some records of a store, and its classes of others."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int8, Int64

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import Lines, Loader, sequential_batches
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.batched import records_at_once
from cgdmer_jax.methods.delineate.config import DelineateConfig
from cgdmer_jax.methods.delineate.method import ENCODER, Delineate, wave_classes
from cgdmer_jax.methods.finetune.config import SCRATCH
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.protocol import Delineator, Variables
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.starting_encoder import StartingEncoder
from cgdmer_jax.recipes.training_run import first_state
from cgdmer_jax.training import sharding
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.sharding import place_batch
from cgdmer_jax.training.state import NEVER
from cgdmer_jax.training.step import make_step

METHOD = "delineate"
BATCH_SIZE, LEARNING_RATE, WARMUP = 16, 1e-3, 0.1

Delineated = Int8[np.ndarray, "record lead time"]  # a class for each sample, as in the record column `waves`
TrainedFold = Callable[[Lines, Lines], Delineated]  # lines to learn from, lines to delineate


def on_encoder(encoder: StartingEncoder, *, init: str, trained: str) -> tuple[Delineate, Variables | None]:
    """The method, and the weights that its encoder starts from; None: from scratch."""
    config = DelineateConfig(init, trained, encoder.name, encoder.fields)
    method = make_method(
        METHOD,
        dataclasses.asdict(config),
        n_leads=len(encoder.contract.leads),
        n_samples=encoder.contract.samples,
        rate=encoder.contract.rate,
        **build.of_tokenizer(encoder.tokenizer),
        max_tokens=encoder.max_tokens,
    )
    return method, None if init == SCRATCH else method.of_encoder(encoder.variables)


class WaveTrainer:
    """Trains a delineator anew on any records of a store: always from the same first weights, compiled once."""

    def __init__(
        self,
        method: Delineator,
        weights: Variables | None,
        corpus: Corpus,
        *,
        max_tokens: int,
        steps: int,
        seed: int,
    ):
        """`weights`: of the encoder, in place of those that the seed draws. The corpus has the column `waves`."""
        for name, value, least in (("steps", steps, 1), ("seed", seed, -(1 << 31))):
            if not least <= value < 1 << 31:
                raise CgdmerError(f"--{name} is {value}; give a whole number from {least:,} to {(1 << 31) - 1:,}")
        self.corpus, self.steps, self.seed = corpus, steps, seed
        self._tokens = np.zeros((len(corpus.texts), max_tokens), np.int32)  # no report is read
        self._mesh = sharding.make_mesh()
        sharding.check_batch_size(BATCH_SIZE, self._mesh)
        config = OptimizerConfig(steps=steps, learning_rate=LEARNING_RATE, warmup_fraction=WARMUP)
        key = jax.random.key(seed)
        blank, _ = next(self._batches(np.zeros(1, np.int64), BATCH_SIZE))
        start, optimizer = first_state(method, config, blank, key, self._mesh)
        if weights is not None:
            given = Variables(start.variables.params | {ENCODER: weights.params}, {ENCODER: weights.state})
            placed = jax.tree.map(lambda new, old: jax.device_put(new, old.sharding), given, start.variables)
            start = start._replace(variables=placed)
        self._start = start
        self._step = make_step(method, optimizer, key, steps)
        self._classes = jax.jit(lambda variables, batch: wave_classes(method, variables, batch))

    def learned(self, lines: Int64[np.ndarray, "fit"]) -> Variables:
        """Weights after all steps on these records. Raises CgdmerError where they are too few for a step."""
        if len(lines) < BATCH_SIZE:
            raise CgdmerError(
                f"store {self.corpus.stores[0].path} has {len(lines)} records with marked waves to learn from, and a "
                f"step reads {BATCH_SIZE}; give a store of more"
            )
        tokens = self._tokens
        loader = Loader(self.corpus, lines, tokens, tokens > 0, batch_size=BATCH_SIZE, seed=self.seed)
        state = jax.tree.map(jnp.copy, self._start)  # a step overwrites what it is given
        with progress_bar(self.steps, "step", "delineate") as progress:
            for batch in loader.prefetch(0, self.steps):
                state, _ = self._step(state, place_batch(batch, self._mesh))
                progress.update()
        if (bad := int(state.first_bad_step)) != NEVER:
            raise CgdmerError(f"loss or gradient was not finite at step {bad}; give another --seed or fewer --steps")
        return state.variables

    def fold(self, fit: Int64[np.ndarray, "fit"], score: Int64[np.ndarray, "score"]) -> Delineated:
        """Classes of the records to score by what was learned from those to fit: a TrainedFold."""
        variables, batches = self.learned(fit), self._batches(score, records_at_once())
        return np.concatenate([np.asarray(self._classes(variables, batch))[:n] for batch, n in batches])

    def _batches(self, lines: Int64[np.ndarray, "record"], size: int):
        return sequential_batches(self.corpus, lines, self._tokens, self._tokens > 0, size)
