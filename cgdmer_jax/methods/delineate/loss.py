"""Loss of a class for each sample, where an expert has said which it is."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cgdmer_jax.models.dense import precise


def masked_cross_entropy(
    logits: Float[Array, "batch lead time klass"],
    classes: Int[Array, "batch lead time"],
    lead_mask: Bool[Array, "batch lead"],
) -> Float[Array, ""]:
    """Mean over the annotated samples (class 0 or more) of present leads; 0 where there is none."""
    counted = (classes >= 0) & lead_mask[:, :, None]
    log_p = jax.nn.log_softmax(precise(logits), axis=-1)
    chosen = jnp.take_along_axis(log_p, jnp.maximum(classes, 0).astype(jnp.int32)[..., None], axis=-1)[..., 0]
    return -jnp.where(counted, chosen, 0).sum() / jnp.maximum(counted.sum(), 1)
