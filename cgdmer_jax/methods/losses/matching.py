"""Recordings and the reports that are read with them, some of which belong to other recordings. Pure maths."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.methods.losses.contrastive import Pairs
from cgdmer_jax.methods.losses.reconstruction import masked_average


def read_pairs(own: Int[Array, "batch"], read: Int[Array, "batch"]) -> Pairs:
    """How the recording of each row, whose report is `own`, stands to the report that each column reads.

    Read by its own record a report is the positive, in place of it a negative; a report of the same text is neither.
    Rows of a replaced report therefore have no positive, and the matrix is not symmetric.
    """
    live = own != NO_TEXT
    both = live[:, None] & live[None, :]
    same = both & (own[:, None] == read[None, :])
    matched = same & jnp.eye(len(own), dtype=bool)
    return Pairs(live, matched.astype(jnp.float32), both & ~same)


def match_loss(
    logits: Float[Array, "batch 2"], matched: Bool[Array, "batch"], live: Bool[Array, "batch"]
) -> Float[Array, ""]:
    """Cross-entropy of (replaced, matched), in nats, mean over records that have a report."""
    log_p = jax.nn.log_softmax(logits, axis=-1)
    return masked_average(-jnp.where(matched, log_p[:, 1], log_p[:, 0]), live)
