"""Which tokens are kept and which are hidden, with static shapes (DESIGN 4).

A token is (lead, patch); tokens are numbered lead * N + patch. Each record keeps k_i of its n_i valid tokens in the
first k_i of K slots; its hidden tokens fill the first n_i - k_i of Q slots. Slots beyond are dead.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32, PRNGKeyArray

STRATEGIES = ("random", "spatiotemporal")
_INVALID = 1e3  # sorts behind every valid token


class Slots(NamedTuple):
    """Token numbers in slots; the first `length` slots of each record are live."""

    index: Int32[Array, "batch slot"]
    length: Int32[Array, "batch"]

    def live(self) -> Bool[Array, "batch slot"]:
        return jnp.arange(self.index.shape[1])[None, :] < self.length[:, None]

    def first(self, share: float) -> "Slots":
        """The first `share` of the slots (at least one); of hidden slots, whose order is random, a random part."""
        n = max(1, round(share * self.index.shape[1]))
        return Slots(self.index[:, :n], jnp.minimum(self.length, n))


def valid_tokens(
    lead_mask: Bool[Array, "batch lead"], length: Int[Array, "batch"], n_patches: int, patch_samples: int
) -> Bool[Array, "batch lead patch"]:
    """A patch is valid when its lead is present and all its samples lie before `length`."""
    ends = (jnp.arange(n_patches) + 1) * patch_samples
    return lead_mask[:, :, None] & (ends[None, None, :] <= length[:, None, None])


def kept_slots(hide_ratio: float, n_tokens: int) -> int:
    """K: the number of slots for kept tokens."""
    return round((1 - hide_ratio) * n_tokens)


def kept_counts(n_valid: Int[Array, "batch"], hide_ratio: float, slots: int) -> Int[Array, "batch"]:
    """k_i = clip(round((1 - hide_ratio) n_i), 1, K), never more than there are."""
    wanted = jnp.round((1 - hide_ratio) * n_valid).astype(jnp.int32)
    return jnp.minimum(jnp.clip(wanted, 1, slots), n_valid)


def all_valid(valid: Bool[Array, "batch lead patch"]) -> Slots:
    """Every valid token kept, in order: what an encoder sees at evaluation."""
    flat = valid.reshape(valid.shape[0], -1)
    index = jnp.argsort(~flat, axis=1, stable=True).astype(jnp.int32)
    return Slots(index, flat.sum(1, dtype=jnp.int32))


def drop_leads(
    key: PRNGKeyArray, lead_mask: Bool[Array, "batch lead"], probability: float
) -> Bool[Array, "batch lead"]:
    """With `probability`, a record keeps a uniform 1..n-1 of its n present leads, chosen at random."""
    which, count, order = jax.random.split(key, 3)
    batch, leads = lead_mask.shape
    present = lead_mask.sum(1)
    kept = 1 + jnp.floor(jax.random.uniform(count, (batch,)) * jnp.maximum(present - 1, 1)).astype(jnp.int32)
    rank = _ranks(jnp.where(lead_mask, jax.random.uniform(order, (batch, leads)), _INVALID))
    dropped = (jax.random.uniform(which, (batch,)) < probability) & (present > 1)
    return lead_mask & (~dropped[:, None] | (rank < kept[:, None]))


def draw_masks(
    key: PRNGKeyArray, valid: Bool[Array, "batch lead patch"], *, strategy: str, hide_ratio: float
) -> tuple[Slots, Slots]:
    """(kept, hidden) slots of one training step; hidden tokens stand in random order."""
    batch, leads, patches = valid.shape
    keys = jax.random.split(key, 3)
    urgency = jax.random.uniform(keys[0], valid.shape)
    if strategy == "spatiotemporal":
        urgency = urgency + _lead_and_time_penalty(keys[1], valid)
    urgency = jnp.where(valid, urgency, _INVALID).reshape(batch, -1)

    n_tokens = leads * patches
    n_valid = valid.reshape(batch, -1).sum(1, dtype=jnp.int32)
    slots = kept_slots(hide_ratio, n_tokens)
    k = kept_counts(n_valid, hide_ratio, slots)
    order = jnp.argsort(urgency, axis=1)
    kept = Slots(order[:, :slots].astype(jnp.int32), k)

    place = jnp.arange(n_tokens)[None, :]
    is_hidden = (place >= k[:, None]) & (place < n_valid[:, None])
    shuffle = jnp.argsort(jnp.where(is_hidden, jax.random.uniform(keys[2], order.shape), _INVALID), axis=1)
    hidden = jnp.take_along_axis(order, shuffle[:, : n_tokens - slots], axis=1)
    return kept, Slots(hidden.astype(jnp.int32), n_valid - k)


def _lead_and_time_penalty(
    key: PRNGKeyArray, valid: Bool[Array, "batch lead patch"]
) -> Float[Array, "batch lead patch"]:
    """1 for a hidden column, 2 for a hidden lead, 3 for both.

    0..min(6, n-1) whole leads and 10-30 % of all columns are hidden first; tokens among the rest are kept first,
    then hidden columns, then hidden leads.
    """
    batch, leads, patches = valid.shape
    lead_count, lead_order, time_share, time_order = jax.random.split(key, 4)
    present = valid.any(2)
    most = jnp.minimum(6, jnp.maximum(present.sum(1) - 1, 0))
    n_leads = jnp.floor(jax.random.uniform(lead_count, (batch,)) * (most + 1)).astype(jnp.int32)
    lead_rank = _ranks(jnp.where(present, jax.random.uniform(lead_order, (batch, leads)), _INVALID))
    share = jax.random.uniform(time_share, (batch,), minval=0.1, maxval=0.3)
    n_columns = jnp.round(share * patches).astype(jnp.int32)
    column_rank = _ranks(jax.random.uniform(time_order, (batch, patches)))
    hidden_lead = lead_rank < n_leads[:, None]
    hidden_column = column_rank < n_columns[:, None]
    return 2.0 * hidden_lead[:, :, None] + 1.0 * hidden_column[:, None, :]


def _ranks(x: Float[Array, "batch item"]) -> Int[Array, "batch item"]:
    return jnp.argsort(jnp.argsort(x, axis=1), axis=1)
