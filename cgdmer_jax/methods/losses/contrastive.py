"""Alignment of the two modalities: which pairs count, and the losses over them. Pure maths on global arrays."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.methods.losses.reconstruction import masked_average
from cgdmer_jax.models.masking.words import WORD_PIECE, Marks, is_word

ALIGNMENTS = ("info_nce", "siglip")
SAME_TEXT = ("ignored", "positives")
_IGNORED = -1e30


class Pairs(NamedTuple):
    """How each record's ECG (row) stands to each record's report (column); symmetric."""

    live: Bool[Array, "batch"]  # has a report; the others are in no term
    positive: Float[Array, "batch batch"]  # weights that add to 1 in each live row
    negative: Bool[Array, "batch batch"]  # what is neither is ignored


def pair_up(text_id: Int[Array, "batch"], alike: Bool[Array, "batch batch"] | None, *, same_text: str) -> Pairs:
    """Own report positive, another one negative.

    Off the diagonal the same report is ignored or, with "positives", weighted 1 / (its count in the row); pairs that
    are `alike` (None: no such) are never negatives.
    """
    live = text_id != NO_TEXT
    both = live[:, None] & live[None, :]
    same = both & (text_id[:, None] == text_id[None, :])
    negative = both & ~same
    if alike is not None:
        negative = negative & ~alike
    own = same if same_text == "positives" else both & jnp.eye(len(text_id), dtype=bool)
    return Pairs(live, own / jnp.maximum(own.sum(1, keepdims=True), 1), negative)


def near_duplicates(
    tokens: Int32[Array, "batch token"],
    token_mask: Bool[Array, "batch token"],
    *,
    vocabulary: int,
    threshold: float,
    marks: Marks = WORD_PIECE,
) -> Bool[Array, "batch batch"]:
    """Reports whose sets of word pieces have a Jaccard similarity of at least `threshold`; special tokens not counted.

    A report without any word is like no other.
    """
    word = is_word(tokens, token_mask, marks)
    record = jnp.arange(len(tokens))[:, None]
    has = jnp.zeros((len(tokens), vocabulary)).at[record, tokens].max(word.astype(jnp.float32))
    common, size = has @ has.T, has.sum(1)
    union = size[:, None] + size[None, :] - common
    return common / jnp.maximum(union, 1) >= threshold


def same_tokens(tokens: Int32[Array, "batch token"]) -> Bool[Array, "batch batch"]:
    """Texts equal token by token; reports can become so when some of their statements are left out."""
    return (tokens[:, None, :] == tokens[None, :, :]).all(-1)


def info_nce(
    ecg: Float[Array, "batch embedding"],
    text: Float[Array, "batch embedding"],
    pairs: Pairs,
    temperature: Float[Array, ""],
) -> Float[Array, ""]:
    """InfoNCE in both directions (van den Oord et al. 2018; Radford et al. 2021) of unit vectors.

    Several positives share the target, as in UniCL (Yang et al. 2022, equation 3).
    """
    counted = pairs.negative | (pairs.positive > 0)
    logits = jnp.where(counted, ecg @ text.T / temperature, _IGNORED)
    own = jnp.where(pairs.positive > 0, pairs.positive * logits, 0)
    to_text = jax.nn.logsumexp(logits, axis=1) - own.sum(1)
    to_ecg = jax.nn.logsumexp(logits, axis=0) - own.sum(0)
    return masked_average(0.5 * (to_text + to_ecg), pairs.live)


def siglip(
    ecg: Float[Array, "batch embedding"],
    text: Float[Array, "batch embedding"],
    pairs: Pairs,
    scale: Float[Array, ""],
    bias: Float[Array, ""],
) -> Float[Array, ""]:
    """Pairwise sigmoid loss of unit vectors (Zhai et al. 2023, equation 1), summed over a row, mean over records."""
    logits = scale * (ecg @ text.T) + bias
    positive = pairs.positive * jax.nn.log_sigmoid(logits)
    negative = jnp.where(pairs.negative, jax.nn.log_sigmoid(-logits), 0)
    return masked_average(-(positive + negative).sum(1), pairs.live)
