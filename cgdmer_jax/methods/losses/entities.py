"""Entity supervision: what a report says of each finding, and the cross-entropy of the logits given to it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cgdmer_jax.methods.losses.reconstruction import masked_average

# States of a finding in a report, as data/text/entities.py writes them; a record without report has mentioned none.
ABSENT, NOT_MENTIONED, PRESENT, UNCERTAIN = -1, 0, 1, 2
HEDGED = ("ignored", "present", "absent")


def positive_weights(shares: Float[Array, "entity"], most: float) -> Float[Array, "entity"]:
    """Weight of an entity's positives, negatives to positives by its share of the records, from 1 to `most`."""
    return jnp.clip((1 - shares) / jnp.maximum(shares, 1e-6), 1.0, most)


def entity_errors(
    logits: Float[Array, "batch entity"], present: Bool[Array, "batch entity"], weight: Float[Array, "entity"]
) -> Float[Array, "batch entity"]:
    """Cross-entropy of each decision in nats, that of a present entity times its weight."""
    return jnp.where(present, -weight * jax.nn.log_sigmoid(logits), -jax.nn.log_sigmoid(-logits))


def entity_loss(
    logits: Float[Array, "batch entity"],
    states: Int[Array, "batch entity"],
    weight: Float[Array, "entity"],
    *,
    hedged: str,  # one of HEDGED
) -> Float[Array, ""]:
    """Mean cross-entropy over records and entities; what a report does not mention counts as absent.

    A report in which nothing was recognised, or none at all, says nothing of what it leaves out: not counted. What is
    hedged is `ignored`, or counts as `present` or `absent`.
    """
    present, uncertain = states == PRESENT, states == UNCERTAIN
    if hedged == "present":
        present = present | uncertain
    live = jnp.broadcast_to((states != NOT_MENTIONED).any(1, keepdims=True), states.shape)
    if hedged == "ignored":
        live = live & ~uncertain
    return masked_average(entity_errors(logits, present, weight), live)
