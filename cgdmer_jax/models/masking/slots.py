"""Kept and hidden tokens in static shapes (docs/design.md, "Tokens and masking").

A token is (lead, patch); tokens are numbered lead * N + patch. Each record keeps k_i of its n_i valid tokens in the
first k_i of K slots; its hidden tokens fill the first n_i - k_i of Q slots. Slots beyond are dead.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, PRNGKeyArray

from cgdmer_jax.models.masking.strategies import LAST, penalty, ranks
from cgdmer_jax.models.masking.strategies import STRATEGIES as STRATEGIES


class Slots(NamedTuple):
    """Token numbers in slots; the first `length` slots of each record are live."""

    index: Int32[Array, "batch slot"]
    length: Int32[Array, "batch"]

    def live(self) -> Bool[Array, "batch slot"]:
        return jnp.arange(self.index.shape[1])[None, :] < self.length[:, None]

    def among(self, n_tokens: int) -> Bool[Array, "batch token"]:
        """Which of a record's tokens stand in live slots."""

        def of_record(index, live):
            return jnp.zeros(n_tokens, bool).at[index].max(live)  # a dead slot may name the token of a live one

        return jax.vmap(of_record)(self.index, self.live())

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


def kept_counts(mask_ratio: float, n_tokens: int) -> Int32[np.ndarray, "n_valid"]:
    """k of 0..n_tokens valid tokens: round((1 - mask_ratio) n), at least one where there is one; the last is K.

    One table in double precision, since float32 can round a half to the other side than K: a hidden token without slot.
    """
    n = np.arange(n_tokens + 1)
    return np.minimum(np.maximum(np.round((1 - mask_ratio) * n), 1), n).astype(np.int32)


def all_valid(valid: Bool[Array, "batch lead patch"]) -> Slots:
    """Every valid token kept, in order: what an encoder sees at evaluation."""
    flat = valid.reshape(valid.shape[0], -1)
    index = jnp.argsort(~flat, axis=1, stable=True).astype(jnp.int32)
    return Slots(index, flat.sum(1, dtype=jnp.int32))


def on_grid(
    x: Float[Array, "batch slot width"], slots: Slots, n_leads: int, n_patches: int
) -> Float[Array, "batch lead patch width"]:
    """Contents of the live slots, each at its lead and patch; 0 where no slot has a token."""
    live = jnp.where(slots.live()[:, :, None], x, 0)
    at = (jnp.arange(len(x))[:, None], slots.index)
    grid = jnp.zeros((len(x), n_leads * n_patches, x.shape[2]), x.dtype).at[at].add(live)
    return grid.reshape(len(x), n_leads, n_patches, x.shape[2])


def drop_leads(
    key: PRNGKeyArray, lead_mask: Bool[Array, "batch lead"], probability: float
) -> Bool[Array, "batch lead"]:
    """With `probability`, a record keeps a uniform 1..n-1 of its n present leads, chosen at random."""
    which, count, order = jax.random.split(key, 3)
    batch, leads = lead_mask.shape
    present = lead_mask.sum(1)
    kept = 1 + jnp.floor(jax.random.uniform(count, (batch,)) * jnp.maximum(present - 1, 1)).astype(jnp.int32)
    rank = ranks(jnp.where(lead_mask, jax.random.uniform(order, (batch, leads)), LAST))
    dropped = (jax.random.uniform(which, (batch,)) < probability) & (present > 1)
    return lead_mask & (~dropped[:, None] | (rank < kept[:, None]))


def hide_leads(
    key: PRNGKeyArray, lead_mask: Bool[Array, "batch lead"], probability: float
) -> Bool[Array, "batch lead"]:
    """Each present lead is left out with `probability`, by itself; one chosen at random always stays."""
    score = jnp.where(lead_mask, jax.random.uniform(key, lead_mask.shape), -1.0)
    return lead_mask & ((score >= probability) | (score == score.max(1, keepdims=True)))


def draw_masks(
    key: PRNGKeyArray,
    valid: Bool[Array, "batch lead patch"],
    *,
    strategy: str,  # one of models/strategies.py STRATEGIES
    mask_ratio: float,
    patch_seconds: float,
) -> tuple[Slots, Slots]:
    """(kept, hidden) slots of one training step; hidden tokens stand in random order."""
    batch, leads, patches = valid.shape
    keys = jax.random.split(key, 3)
    first = penalty(keys[1], valid, strategy=strategy, mask_ratio=mask_ratio, patch_seconds=patch_seconds)
    urgency = jax.random.uniform(keys[0], valid.shape) + first
    urgency = jnp.where(valid, urgency, LAST).reshape(batch, -1)

    n_tokens = leads * patches
    n_valid = valid.reshape(batch, -1).sum(1, dtype=jnp.int32)
    counts = kept_counts(mask_ratio, n_tokens)
    slots = int(counts[-1])
    k = jnp.asarray(counts)[n_valid]
    order = jnp.argsort(urgency, axis=1)
    kept = Slots(order[:, :slots].astype(jnp.int32), k)

    place = jnp.arange(n_tokens)[None, :]
    is_hidden = (place >= k[:, None]) & (place < n_valid[:, None])
    shuffle = jnp.argsort(jnp.where(is_hidden, jax.random.uniform(keys[2], order.shape), LAST), axis=1)
    hidden = jnp.take_along_axis(order, shuffle[:, : n_tokens - slots], axis=1)
    return kept, Slots(hidden.astype(jnp.int32), n_valid - k)


def widened(kept: Slots, hidden: Slots, n_tokens: int, mask_ratio: float) -> Slots:
    """The kept tokens and, behind them, a random part of the hidden ones, so that only `mask_ratio` is hidden.

    `mask_ratio` is at most the one of `kept`.
    """
    counts = kept_counts(mask_ratio, n_tokens)
    place = right_behind(kept.length, kept.index.shape[1], hidden.index.shape[1])[:, : int(counts[-1])]
    index = jnp.take_along_axis(jnp.concatenate([kept.index, hidden.index], axis=1), place, axis=1)
    return Slots(index, jnp.asarray(counts)[kept.length + hidden.length])


def right_behind(length: Int[Array, "batch"], n_first: int, n_second: int) -> Int[Array, "batch both"]:
    """Order that moves `n_second` items, stored after `n_first` others, directly behind the first `length` of those."""
    place = jnp.arange(n_first + n_second)[None, :]
    moved = jnp.minimum(place + n_first - length[:, None], n_first + n_second - 1)
    return jnp.where(place < length[:, None], place, moved)
