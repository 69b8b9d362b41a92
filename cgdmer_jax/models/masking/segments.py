"""Masking lead by lead: whole leads taken away, then an equal number of segments of each lead that is left."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PRNGKeyArray

from cgdmer_jax.models.masking.slots import Slots, kept_counts
from cgdmer_jax.models.masking.strategies import LAST, ranks


def keep_leads(
    key: PRNGKeyArray, lead_mask: Bool[Array, "batch lead"], counts: tuple[int, ...], probability: float
) -> Bool[Array, "batch lead"]:
    """With `probability`, a record keeps one of these numbers of its present leads, number and leads at random.

    A record that has no more than that number keeps them all.
    """
    which, count, order = jax.random.split(key, 3)
    batch, leads = lead_mask.shape
    kept = jax.random.choice(count, jnp.array(counts), (batch,))
    rank = ranks(jnp.where(lead_mask, jax.random.uniform(order, (batch, leads)), LAST))
    chosen = jax.random.uniform(which, (batch,)) < probability
    return lead_mask & (~chosen[:, None] | (rank < kept[:, None]))


def draw_segments(key: PRNGKeyArray, valid: Bool[Array, "batch lead patch"], mask_ratio: float) -> Slots:
    """Kept tokens in order of their number: of each lead, on its own, `mask_ratio` of its valid segments are hidden.

    Leads of one length keep equally many, round((1 - mask_ratio) n) of n, at least one.
    """
    batch, leads, patches = valid.shape
    counts = kept_counts(mask_ratio, patches)
    order = jnp.where(valid, jax.random.uniform(key, valid.shape), LAST).reshape(batch * leads, patches)
    n_kept = jnp.asarray(counts)[valid.sum(2)].reshape(-1)
    kept = (ranks(order) < n_kept[:, None]).reshape(batch, -1)
    index = jnp.argsort(~kept, axis=1, stable=True)[:, : leads * int(np.max(counts))]
    return Slots(index.astype(jnp.int32), kept.sum(1, dtype=jnp.int32))
