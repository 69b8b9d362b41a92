"""The validation loss of a run and, with text, its retrieval recall, on records and draws that stay the same."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import shuffled
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.metrics.retrieval import recall_at
from cgdmer_jax.recipes import build
from cgdmer_jax.training import sharding


def make_validation(
    method: Method, corpus: Corpus, table: TokenTable, config: ConfigDict, n_records: int, mesh: Mesh
) -> Callable[[Variables], dict[str, float]]:
    """variables -> loss, its terms and, of a method with text, retrieval recall: same records, same draws."""
    lines = corpus.lines("validation")
    if (n_used := min(len(lines), n_records)) < config.data.batch_size:
        asked = f" of the {n_records} asked for by config.run.validation_records" if n_used < n_records else ""
        raise CgdmerError(
            f"the validation split gives {n_used} records{asked}: fewer than config.data.batch_size "
            f"{config.data.batch_size}; choose a smaller batch"
        )
    chosen = lines[np.sort(shuffled(len(lines), "validation")[:n_records])]

    @functools.partial(jax.jit, out_shardings=sharding.replicated(mesh))
    def measure(variables: Variables, batch, key):
        draws = method.draw(key, batch, jnp.float32(1))
        loss, aux = method.loss(variables, batch, draws, train=False)
        terms = {"loss": loss, **aux.terms}
        if not method.declared.text:
            return terms, ()
        text = method.embed_text(variables, batch.tokens, batch.token_mask)
        return terms, (method.embed_ecg(variables, batch)["aligned"], text, batch.text_id)

    def validate(variables: Variables) -> dict[str, float]:
        sums, pairs = {}, []
        key = jax.random.key(config.seed + 1)
        n_batches = len(chosen) // config.data.batch_size  # whole batches: the loss of a padded one would differ
        whole = chosen[: n_batches * config.data.batch_size].reshape(n_batches, -1)
        own = whole[:, sharding.own_rows(config.data.batch_size)]
        for number, (batch, _) in enumerate(build.read_batches(corpus, own.ravel(), table, own.shape[1])):
            terms, pair = measure(variables, sharding.place_batch(batch, mesh), jax.random.fold_in(key, number))
            sums = {name: sums.get(name, 0.0) + float(value) / n_batches for name, value in terms.items()}
            pairs.append(jax.tree.map(np.asarray, pair))
        if not method.declared.text:
            return sums
        ecg, text, ids = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        return sums | {"ecg_to_text_recall_at_10": recall_at(ecg, text, ids, k=10)}

    return validate
