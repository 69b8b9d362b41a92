"""Gradient norm of each loss term on one fixed batch, outside the training step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from cgdmer_jax.batch import Batch
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import shuffled
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.training import sharding

WEIGHT = "weight_"  # + term: a method's field


def make_diagnosis(
    method: Method, corpus: Corpus, table: TokenTable, config: ConfigDict, mesh: Mesh
) -> Callable[[Variables], dict[str, float]]:
    """variables -> gradient_norm_<term> on the same records and draws each time."""
    norms = gradient_norms(method, tuple(term_weights(config)), config.seed)
    whole = fixed_batch(corpus, table, config.data.batch_size)
    own = sharding.own_rows(len(whole.row))
    batch = sharding.place_batch(jax.tree.map(lambda rows: rows[own], whole), mesh)
    return lambda variables: {f"gradient_norm_{name}": norm for name, norm in norms(variables, batch).items()}


def term_weights(config: ConfigDict) -> dict[str, float]:
    """Loss terms by name with their weight in the total."""
    fields = config.method.to_dict()
    return {name.removeprefix(WEIGHT): value for name, value in fields.items() if name.startswith(WEIGHT)}


def fixed_batch(corpus: Corpus, table: TokenTable, batch_size: int) -> Batch:
    """Validation records, as many as a batch has (or as there are)."""
    lines = corpus.lines("validation")
    chosen = lines[np.sort(shuffled(len(lines), "diagnose")[:batch_size])]
    return next(build.read_batches(corpus, chosen, table, len(chosen)))[0]


def gradient_norms(method: Method, names: tuple[str, ...], seed: int) -> Callable[[Variables, Batch], dict[str, float]]:
    """The norm over all parameters of the gradient of each named term, before its weight.

    One backward pass a term, by one compiled function that is told which: it needs the memory of a training step.
    """

    @jax.jit
    def norm_of(variables: Variables, batch: Batch, chosen):
        draws = method.draw(jax.random.key(seed), batch, jnp.float32(1))

        def term(params):
            _, aux = method.loss(Variables(params, variables.state), batch, draws, train=False)
            # A term that the config switches off is absent, and moves nothing.
            return sum(chosen[i] * aux.terms[name] for i, name in enumerate(names) if name in aux.terms)

        gradient = jax.grad(term)(variables.params)
        return jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient)))

    def norms(variables: Variables, batch: Batch) -> dict[str, float]:
        one_hot = np.eye(len(names), dtype=np.float32)
        return {name: float(norm_of(variables, batch, chosen)) for name, chosen in zip(names, one_hot, strict=True)}

    return norms
