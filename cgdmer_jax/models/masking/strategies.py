"""Masking strategies: how soon each token is hidden (docs/design.md, "Tokens and masking").

A penalty orders the tokens of a record; those of the lowest penalty are kept, ties broken at random by a uniform
number in [0, 1). So a strategy hides whole leads, columns or blocks in its order until the exact number is reached,
the last of them in part; where what it would keep is too little, it gives back what it would hide last.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

STRATEGIES = ("random", "lead", "time", "block", "spatiotemporal")
LAST = 1e3  # sorts behind every penalty of a valid token
LIMB_LEADS = 6  # the first six of the canonical order
BLOCK_LEADS = (1, 6)  # fewest and most neighbouring leads of a block
BLOCK_SECONDS = (0.4, 2.0)


def penalty(
    key: PRNGKeyArray,
    valid: Bool[Array, "batch lead patch"],
    *,
    strategy: str,
    mask_ratio: float,
    patch_seconds: float,
) -> Float[Array, "batch #lead #patch"]:
    """Whole numbers below `LAST`; 0 = kept first."""
    if strategy == "random":
        return jnp.zeros((len(valid), 1, 1))
    if strategy == "lead":
        return _lead_order(key, valid)
    if strategy == "time":
        return ranks(jax.random.uniform(key, (len(valid), valid.shape[2])))[:, None, :].astype(jnp.float32)
    if strategy == "block":
        return _block_order(key, valid, mask_ratio, patch_seconds)
    if strategy == "spatiotemporal":
        return _lead_and_time(key, valid)
    raise ValueError(f'no masking strategy "{strategy}"; there are {", ".join(STRATEGIES)}')


def ranks(x: Float[Array, "batch item"]) -> Int[Array, "batch item"]:
    """0 for the smallest item of each record."""
    return jnp.argsort(jnp.argsort(x, axis=1), axis=1)


def _lead_order(key: PRNGKeyArray, valid: Bool[Array, "batch lead patch"]) -> Float[Array, "batch lead 1"]:
    """Leads in random order; in half of the records every limb lead goes before every chest lead.

    A single hidden limb lead is arithmetic in any two that are left (III = II - I).
    """
    order_key, group_key = jax.random.split(key)
    batch, leads, _ = valid.shape
    rank = ranks(jax.random.uniform(order_key, (batch, leads)))
    grouped = jax.random.uniform(group_key, (batch, 1)) < 0.5
    is_limb = jnp.arange(leads)[None, :] < LIMB_LEADS
    return (rank + leads * (grouped & is_limb))[:, :, None].astype(jnp.float32)


def _lead_and_time(key: PRNGKeyArray, valid: Bool[Array, "batch lead patch"]) -> Float[Array, "batch lead patch"]:
    """1 for a hidden column, 2 for a hidden lead, 3 for both.

    0..min(6, n-1) whole leads and 10-30 % of all columns are hidden first; tokens among the rest are kept first,
    then hidden columns, then hidden leads.
    """
    batch, leads, patches = valid.shape
    lead_count, lead_order, time_share, time_order = jax.random.split(key, 4)
    present = valid.any(2)
    most = jnp.minimum(6, jnp.maximum(present.sum(1) - 1, 0))
    n_leads = jnp.floor(jax.random.uniform(lead_count, (batch,)) * (most + 1)).astype(jnp.int32)
    lead_rank = ranks(jnp.where(present, jax.random.uniform(lead_order, (batch, leads)), LAST))
    share = jax.random.uniform(time_share, (batch,), minval=0.1, maxval=0.3)
    n_columns = jnp.round(share * patches).astype(jnp.int32)
    column_rank = ranks(jax.random.uniform(time_order, (batch, patches)))
    hidden_lead = lead_rank < n_leads[:, None]
    hidden_column = column_rank < n_columns[:, None]
    return 2.0 * hidden_lead[:, :, None] + 1.0 * hidden_column[:, None, :]


# --- blocks ------------------------------------------------------------------------------------------


def block_patches(patch_seconds: float) -> tuple[int, int]:
    """Fewest and most patches of a block in time."""
    fewest, most = (max(1, round(seconds / patch_seconds)) for seconds in BLOCK_SECONDS)
    return fewest, most


def n_blocks(leads: int, patches: int, mask_ratio: float, patch_seconds: float) -> int:
    """Blocks to draw: twice as many as cover `mask_ratio` on average, so that running out is rare."""

    def covered(items, fewest, most):  # the chance that a block lies over one given item
        return sum(size / (items + size - 1) for size in range(fewest, most + 1)) / (most - fewest + 1)

    chance = covered(leads, *BLOCK_LEADS) * covered(patches, *block_patches(patch_seconds))
    wanted = math.log(1 - mask_ratio) / math.log1p(-chance) if chance < 1 else 1
    return min(max(1, math.ceil(2 * wanted)), int(LAST) // 2)


def _block_order(
    key: PRNGKeyArray, valid: Bool[Array, "batch lead patch"], mask_ratio: float, patch_seconds: float
) -> Float[Array, "batch lead patch"]:
    """A token's penalty falls with the number of the first block over it; 0 where no block lies."""
    batch, leads, patches = valid.shape
    n = n_blocks(leads, patches, mask_ratio, patch_seconds)
    lead_key, time_key = jax.random.split(key)
    over_lead = _segments(lead_key, (batch, n), leads, *BLOCK_LEADS)
    over_patch = _segments(time_key, (batch, n), patches, *block_patches(patch_seconds))
    height = jnp.arange(n, 0, -1, dtype=jnp.float32)[None, :, None, None]
    return jnp.where(over_lead[:, :, :, None] & over_patch[:, :, None, :], height, 0.0).max(1)


def _segments(
    key: PRNGKeyArray, shape: tuple[int, int], items: int, fewest: int, most: int
) -> Bool[Array, "batch block item"]:
    """Runs of fewest..most neighbours; one that reaches over an end is cut, so that each item is hit equally often."""
    size_key, start_key = jax.random.split(key)
    size = jax.random.randint(size_key, shape, fewest, most + 1)
    start = 1 - size + jnp.floor(jax.random.uniform(start_key, shape) * (items + size - 1)).astype(jnp.int32)
    item = jnp.arange(items)[None, None, :]
    return (item >= start[:, :, None]) & (item < (start + size)[:, :, None])
