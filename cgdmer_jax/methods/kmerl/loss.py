"""K-MERL's loss terms of the global batch; a term of weight 0 is not computed.

L = w_align L_align + w_entities L_entities
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from cgdmer_jax.methods.chunks import in_chunks
from cgdmer_jax.methods.kmerl.config import KMerlConfig
from cgdmer_jax.methods.losses.contrastive import info_nce, pair_up
from cgdmer_jax.methods.losses.entities import entity_loss
from cgdmer_jax.models.masking.slots import Slots


class ReadBatch(NamedTuple):
    """Everything of a step that has an axis of records, as one pass reads it."""

    patches: Float[Array, "batch token sample"]
    kept: Slots
    tokens: Int32[Array, "batch word"]
    n_tokens: Int32[Array, "batch"]
    vectors: Float[Array, "batch vector"] | None  # of the reports, where a table has them


class PassOutputs(NamedTuple):
    """Inputs of the loss terms; one that no term reads is None."""

    ecg: Float[Array, "batch embedding"] | None
    text: Float[Array, "batch embedding"] | None
    logits: Float[Array, "batch entity"] | None


def one_pass(
    apply: Callable, config: KMerlConfig, queries: Float[Array, "entity vector"] | None, read: ReadBatch
) -> PassOutputs:
    """Nothing here looks from one record to another; `apply` is a function of the network by name."""
    tokens = apply(read.patches, read.kept, method="ecg_tokens")
    ecg = text = logits = None
    if config.weight_align > 0:
        vectors = read.vectors
        if vectors is None:
            vectors = apply(read.tokens, read.n_tokens, method="text_vectors")
        ecg = apply(tokens, read.kept.live(), method="align_ecg")
        text = apply(vectors, method="align_text")
    if queries is not None:
        logits = apply(queries, tokens, read.kept.length, method="answer")
    return PassOutputs(ecg, text, logits)


def knowledge_loss(
    apply: Callable,
    config: KMerlConfig,
    read: ReadBatch,
    text_id: Int[Array, "batch"],
    states: Int[Array, "batch entity"],
    names: tuple[Int32[Array, "entity word"], Int32[Array, "entity"]],
    weight: Float[Array, "entity"],
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The loss and its terms by name; `names` are the entities' tokens, `weight` that of their positives."""
    queries = apply(*names, method="text_vectors") if config.weight_entities > 0 else None
    given = in_chunks(partial(one_pass, apply, config, queries), read, config.microbatches)
    terms = {}
    if config.weight_align > 0:
        pairs = pair_up(text_id, None, same_text="ignored")
        terms["align"] = info_nce(given.ecg, given.text, pairs, jnp.float32(config.temperature))
    if config.weight_entities > 0:
        terms["entities"] = entity_loss(given.logits, states, weight, hedged=config.hedged)
    weights = {"align": config.weight_align, "entities": config.weight_entities}
    return sum((weights[name] * term for name, term in terms.items()), jnp.float32(0)), terms
