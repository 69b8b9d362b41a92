"""Loss of several classes, each of which a recording may have or not."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from cgdmer_jax.models.dense import precise


def binary_cross_entropy(logits: Float[Array, "batch klass"], labels: Bool[Array, "batch klass"]) -> Float[Array, ""]:
    """Mean over records and classes, for logits of any size."""
    logits = precise(logits)
    return (jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))).mean()
