"""Drawing masks of 12 leads x 20 patches and looking at them as sets and grids."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.models.masking import slots as masking
from cgdmer_jax.models.masking.slots import Slots

LEADS, PATCHES = 12, 20
HIDE = 0.75
SLOTS = 60  # round(0.25 * 240)
SECONDS = 0.2  # of a patch
BLOCK = 500  # records drawn at a time: one compilation a strategy
draw_block = jax.jit(partial(masking.draw_masks, mask_ratio=HIDE, patch_seconds=SECONDS), static_argnames="strategy")


def draw(key, valid: np.ndarray, strategy: str) -> tuple[Slots, Slots]:
    n = len(valid)
    padded = np.concatenate([valid, np.zeros((-n % BLOCK, LEADS, PATCHES), bool)])
    keys = jax.random.split(key, len(padded) // BLOCK)
    blocks = [
        draw_block(k, jnp.asarray(v), strategy=strategy)
        for k, v in zip(keys, padded.reshape(-1, BLOCK, LEADS, PATCHES), strict=True)
    ]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *blocks)


def validity(n_leads: list[int], n_patches: list[int], seed: int = 0) -> np.ndarray:
    """bool [record, lead, patch]: as many leads as asked, at random places; as many patches, from the start."""
    order = np.random.default_rng(seed)
    valid = np.zeros((len(n_leads), LEADS, PATCHES), bool)
    for record, (leads, patches) in enumerate(zip(n_leads, n_patches, strict=True)):
        valid[record, order.permutation(LEADS)[:leads], :patches] = True
    return valid


def live_tokens(slots: Slots) -> list[list[int]]:
    return [row[:n].tolist() for row, n in zip(np.asarray(slots.index), np.asarray(slots.length), strict=True)]


def kept_grid(kept: Slots) -> np.ndarray:
    """bool [record, lead, patch]."""
    grid = np.zeros((len(kept.index), LEADS * PATCHES), bool)
    for record, tokens in enumerate(live_tokens(kept)):
        grid[record, tokens] = True
    return grid.reshape(-1, LEADS, PATCHES)
