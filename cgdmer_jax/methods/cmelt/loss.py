"""C-MELT's loss terms of the global batch from one step's passes; a term of weight 0 is not computed.

L = w_ecg L_mem + w_text L_mlm + w_match L_etm + w_align L_ets
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.chunks import in_chunks
from cgdmer_jax.methods.cmelt.config import DOT, CMeltConfig, CMeltDraws
from cgdmer_jax.methods.losses import contrastive, matching, reconstruction
from cgdmer_jax.methods.losses.reconstruction import masked_average
from cgdmer_jax.models.heads import unit
from cgdmer_jax.models.masking.slots import Slots


class SeenRecords(NamedTuple):
    """Everything of a step that has an axis of records, as the passes read it."""

    patches: Float[Array, "batch patch sample lead"]  # what the encoder sees
    wanted: Float[Array, "batch query sample lead"]  # standardised, without any lead masked
    recorded: Bool[Array, "batch lead"]
    kept: Slots
    hidden: Slots
    words: Int32[Array, "batch token"]  # masked
    n_words: Int32[Array, "batch"]
    at: Slots  # where words are masked
    hidden_words: Int32[Array, "batch slot"]


class HeadOutputs(NamedTuple):
    """Inputs of the loss terms; a field that no term reads is None."""

    ecg_error: Float[Array, "batch query"] | None
    word_error: Float[Array, "batch slot"] | None
    match_logits: Float[Array, "batch 2"] | None
    features: tuple[Float[Array, "batch width"], Float[Array, "batch width"]] | None  # of ECG and report


def passes(apply: Callable, config: CMeltConfig, records: SeenRecords) -> HeadOutputs:
    """Nothing here looks from one record to another."""
    ecg = apply(records.patches, records.kept, method="ecg_tokens")
    text = apply(records.words, records.n_words, method="text_tokens")
    ecg_error = word_error = match_logits = features = None
    if config.weight_ecg > 0 or config.weight_text > 0 or config.weight_match > 0:
        middle, last = apply(ecg, records.kept.length + 1, text, records.n_words, method="fuse")
    if config.weight_ecg > 0:
        predicted = apply(middle.ecg, records.kept, records.hidden, method="decode_ecg")
        error = (predicted.reshape(records.wanted.shape) - records.wanted) ** 2
        ecg_error = masked_mean_over_leads(error, records.recorded)
    if config.weight_text > 0:
        logits = apply(last.text, records.at, method="decode_text")
        word_error = reconstruction.word_errors(logits, records.hidden_words)
    if config.weight_match > 0:
        match_logits = apply(last, method="match")
    if config.weight_align > 0:
        features = apply("ecg", ecg, method="feature"), apply("text", text, method="feature")
    return HeadOutputs(ecg_error, word_error, match_logits, features)


def masked_mean_over_leads(
    x: Float[Array, "batch query sample lead"], recorded: Bool[Array, "batch lead"]
) -> Float[Array, "batch query"]:
    """Mean over the samples of a token in the recorded leads; 0 where there are none."""
    total = jnp.where(recorded[:, None, None, :], x, 0).sum((2, 3))
    return total / jnp.maximum(recorded.sum(1) * x.shape[2], 1)[:, None]


def cmelt_loss(
    apply: Callable, config: CMeltConfig, records: SeenRecords, batch: Batch, draws: CMeltDraws
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The loss of the global batch and its terms by name.

    `apply`: (*arguments, method=name) -> what that function of the network gives with the step's parameters.
    """
    passed = in_chunks(partial(passes, apply, config), records, config.microbatches)
    pairs = matching.read_pairs(batch.text_id, draws.read.text_id)
    terms = {}
    if passed.ecg_error is not None:
        terms["ecg"] = masked_average(passed.ecg_error, records.hidden.live() & records.recorded.any(1)[:, None])
    if passed.word_error is not None:
        terms["text"] = masked_average(passed.word_error, records.at.live())
    if passed.match_logits is not None:
        terms["match"] = matching.match_loss(passed.match_logits, ~draws.read.replaced, pairs.live)
    if passed.features is not None:
        terms |= _alignment(apply, config, *passed.features, pairs)
    weights = {
        "ecg": config.weight_ecg,
        "text": config.weight_text,
        "match": config.weight_match,
        "align": config.weight_align,
    }
    return sum((weights[name] * terms[name] for name in weights if name in terms), jnp.float32(0)), terms


def _alignment(
    apply: Callable,
    config: CMeltConfig,
    ecg: Float[Array, "batch width"],
    text: Float[Array, "batch width"],
    pairs: contrastive.Pairs,
) -> dict[str, Float[Array, ""]]:
    if config.alignment == DOT:  # as released: a mean over all pairs of features that are not of unit length
        total = contrastive.siglip(ecg, text, pairs, jnp.float32(1), jnp.float32(0))
        return {"align": total / jnp.maximum(pairs.live.sum(), 1)}
    scale, bias = apply(method="scale_and_bias")
    align = contrastive.siglip(unit(ecg), unit(text), pairs, scale, bias)
    return {"align": align, "alignment_scale": scale, "alignment_bias": bias}
