"""Kept and hidden tokens: counts by hand arithmetic, order and validity by NumPy sets."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cgdmer_jax.models.masking import slots as masking
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.strategies import STRATEGIES
from tests.models.masks import LEADS, PATCHES, SECONDS, SLOTS, draw, live_tokens, validity

SAMPLES = 10  # of a patch
# Expected k_i for 1..12 leads of 20 patches, a quarter kept: 5 a lead.
K_OF_FULL_LEADS = {n: 5 * n for n in range(1, 13)}
# The same for 13 patches (n_i = 13 n), round half to even, by hand: 3.25 6.5 9.75 13 16.25 19.5 22.75 26 29.25 32.5 ...
K_OF_SHORT_LEADS = dict(zip(range(1, 13), (3, 6, 10, 13, 16, 20, 23, 26, 29, 32, 36, 39), strict=True))

drop_leads = jax.jit(masking.drop_leads, static_argnames="probability")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("n_patches", "expected"), [(PATCHES, K_OF_FULL_LEADS), (13, K_OF_SHORT_LEADS)])
def test_each_lead_count_keeps_exactly_its_k(strategy, n_patches, expected):
    counts = list(range(1, 13))
    kept, hidden = draw(jax.random.key(1), validity(counts, [n_patches] * 12), strategy)
    assert kept.index.shape == (12, SLOTS)
    assert hidden.index.shape == (12, LEADS * PATCHES - SLOTS)
    assert kept.length.tolist() == [expected[n] for n in counts]
    assert hidden.length.tolist() == [n * n_patches - expected[n] for n in counts]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_kept_and_hidden_tokens_are_together_the_valid_ones_each_once(strategy):
    counts = list(range(1, 13)) * 4
    patches = [PATCHES] * 12 + [13] * 12 + [1] * 12 + [2] * 12
    valid = validity(counts, patches)
    kept, hidden = draw(jax.random.key(2), valid, strategy)
    for record, (inside, outside) in enumerate(zip(live_tokens(kept), live_tokens(hidden), strict=True)):
        assert sorted(inside + outside) == np.flatnonzero(valid[record].ravel()).tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_absent_leads_are_never_kept_nor_hidden(strategy):
    valid = validity([1, 2, 3, 6, 11, 12] * 10, [PATCHES] * 60)
    for seed in range(5):
        for slots in draw(jax.random.key(seed), valid, strategy):
            for record, tokens in enumerate(live_tokens(slots)):
                assert all(valid[record, token // PATCHES].all() for token in tokens)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("n_leads", "n_patches", "k", "n_hidden"), [(0, 0, 0, 0), (1, 1, 1, 0), (1, 2, 1, 1)])
def test_fewer_than_two_tokens_hide_nothing_and_one_is_always_kept(strategy, n_leads, n_patches, k, n_hidden):
    kept, hidden = draw(jax.random.key(0), validity([n_leads], [n_patches]), strategy)
    assert (kept.length.tolist(), hidden.length.tolist()) == ([k], [n_hidden])


@pytest.mark.parametrize("mask_ratio", [0.5, 0.6, 0.75, 0.9])
def test_no_record_keeps_more_than_there_are_slots(mask_ratio):
    k = masking.kept_counts(mask_ratio, LEADS * PATCHES)
    assert k[0] == 0 and (k[1:] >= 1).all() and k.max() == k[240] == round((1 - mask_ratio) * 240)
    assert (k <= np.arange(241)).all() and (np.diff(k) >= 0).all()


# --- properties --------------------------------------------------------------------------------------

GRIDS = [(12, 7, 0.7), (6, 5, 0.85)]  # leads, patches, mask ratio; 0.15 of 30 tokens is a half: 4 or 5 of them
draw_grid = jax.jit(
    partial(masking.draw_masks, patch_seconds=SECONDS), static_argnames=("strategy", "mask_ratio")
)  # compiled once a grid and strategy
KEYS = st.integers(0, 2**31 - 1)


def stated_count(n: int, mask_ratio: float) -> int:
    return min(max(round((1 - mask_ratio) * n), 1), n)


@pytest.mark.parametrize(("leads", "patches", "mask_ratio"), GRIDS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=50)
@given(lead_mask=hnp.arrays(bool, (4, LEADS)), lengths=hnp.arrays(np.int32, 4, elements=st.integers(0, 7)), seed=KEYS)
def test_any_leads_and_lengths_give_exact_counts_and_each_valid_token_once(
    strategy, leads, patches, mask_ratio, lead_mask, lengths, seed
):
    valid = lead_mask[:, :leads, None] & (np.arange(patches) < lengths[:, None, None])
    kept, hidden = draw_grid(jax.random.key(seed), jnp.asarray(valid), strategy=strategy, mask_ratio=mask_ratio)
    slots = stated_count(leads * patches, mask_ratio)
    assert kept.index.shape == (4, slots) and hidden.index.shape == (4, leads * patches - slots)
    n = valid.sum((1, 2)).tolist()
    assert kept.length.tolist() == [stated_count(n_i, mask_ratio) for n_i in n]
    assert hidden.length.tolist() == [n_i - stated_count(n_i, mask_ratio) for n_i in n]
    for record, (inside, outside) in enumerate(zip(live_tokens(kept), live_tokens(hidden), strict=True)):
        assert sorted(inside + outside) == np.flatnonzero(valid[record].ravel()).tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=50)
@given(seeds=st.lists(KEYS, min_size=2, max_size=2, unique=True))
def test_equal_keys_give_equal_masks_and_other_keys_others(strategy, seeds):
    leads, patches, mask_ratio = GRIDS[0]
    valid = jnp.ones((4, leads, patches), bool)
    one, again, other = (
        draw_grid(jax.random.key(seed), valid, strategy=strategy, mask_ratio=mask_ratio)
        for seed in (seeds[0], seeds[0], seeds[1])
    )
    jax.tree.map(np.testing.assert_array_equal, one, again)
    for mine, theirs in zip(one, other, strict=True):
        assert live_tokens(mine) != live_tokens(theirs)


@settings(max_examples=200)
@given(
    mask_ratio=st.floats(0, 1, exclude_max=True) | st.integers(0, 999).map(lambda mille: mille / 1000),
    n_tokens=st.integers(1, 1200),
)
def test_any_ratio_keeps_the_stated_count_and_has_a_slot_for_every_token(mask_ratio, n_tokens):
    counts = masking.kept_counts(mask_ratio, n_tokens)
    assert counts.tolist() == [stated_count(n, mask_ratio) for n in range(n_tokens + 1)]
    most_kept, most_hidden = counts[-1], n_tokens - counts[-1]
    n = np.arange(n_tokens + 1)
    assert (counts <= most_kept).all() and (n - counts <= most_hidden).all()


def test_random_masking_keeps_every_token_equally_often():
    n = 4000
    kept, _ = draw(jax.random.key(3), np.ones((n, LEADS, PATCHES), bool), "random")
    share = np.bincount(np.asarray(kept.index).ravel(), minlength=240) / n
    assert abs(share - 0.25).max() < 6 * np.sqrt(0.25 * 0.75 / n)


def test_hidden_tokens_stand_in_random_order_so_that_the_first_part_is_a_random_part():
    n = 4000
    for strategy in STRATEGIES:
        _, hidden = draw(jax.random.key(4), np.ones((n, LEADS, PATCHES), bool), strategy)
        part = jax.tree.map(jnp.asarray, hidden).first(0.5)
        assert part.index.shape == (n, 90)
        columns = np.bincount(np.asarray(hidden.index).ravel() % PATCHES, minlength=PATCHES)
        of_part = np.bincount(np.asarray(part.index).ravel() % PATCHES, minlength=PATCHES)
        leads = np.bincount(np.asarray(hidden.index).ravel() // PATCHES, minlength=LEADS)
        lead_part = np.bincount(np.asarray(part.index).ravel() // PATCHES, minlength=LEADS)
        assert abs(of_part / columns - 0.5).max() < 0.03
        assert abs(lead_part / leads - 0.5).max() < 0.03


def test_first_part_of_slots_is_never_longer_than_what_is_live():
    slots = Slots(jnp.arange(20, dtype=jnp.int32).reshape(2, 10), jnp.array([3, 10], jnp.int32))
    assert slots.first(0.5).length.tolist() == [3, 5]
    assert slots.first(0.01).index.shape == (2, 1)


@pytest.mark.parametrize("mask_ratio", [0.75, 0.5, 0.25, 0.0])
def test_widened_slots_hold_the_kept_tokens_and_a_random_part_of_the_hidden_ones(mask_ratio):
    counts, patches = [*range(1, 13)] * 2, [PATCHES] * 12 + [13] * 12
    kept, hidden = jax.tree.map(jnp.asarray, draw(jax.random.key(8), validity(counts, patches), "spatiotemporal"))
    wide = masking.widened(kept, hidden, LEADS * PATCHES, mask_ratio)
    assert wide.index.shape == (24, round((1 - mask_ratio) * 240))
    n_valid = np.multiply(counts, patches)
    expected = np.maximum(np.round((1 - mask_ratio) * n_valid), 1)
    assert wide.length.tolist() == expected.tolist()
    for one, other, more in zip(live_tokens(kept), live_tokens(hidden), live_tokens(wide), strict=True):
        assert more == one + other[: len(more) - len(one)]


# --- lead dropout ------------------------------------------------------------------------------------


@pytest.mark.parametrize("present", [2, 3, 7, 12])
def test_lead_dropout_leaves_a_uniform_number_from_1_to_n_minus_1(present):
    n = 6000
    mask = np.zeros((n, LEADS), bool)
    mask[:, 12 - present :] = True
    left = np.asarray(drop_leads(jax.random.key(present), jnp.asarray(mask), 1.0))
    assert not (left & ~mask).any()
    share = np.bincount(left.sum(1), minlength=13)[1:present] / n
    p = 1 / (present - 1)
    assert share.sum() == pytest.approx(1)
    assert abs(share - p).max() < 5 * np.sqrt(p * (1 - p) / n) + 1e-12
    each = left[:, 12 - present :].mean(0)  # mean number left / n, the same for every lead
    assert abs(each - 0.5).max() < 0.035


def test_lead_dropout_reaches_its_share_of_the_records():
    n = 6000
    left = np.asarray(drop_leads(jax.random.key(0), jnp.ones((n, LEADS), bool), 0.3))
    assert abs((left.sum(1) < 12).mean() - 0.3) < 5 * np.sqrt(0.21 / n)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_lead_dropout_never_takes_the_only_lead_and_never_brings_one(probability):
    mask = np.eye(LEADS, dtype=bool)
    left = drop_leads(jax.random.key(0), jnp.asarray(mask), probability)
    np.testing.assert_array_equal(left, mask)
    empty = drop_leads(jax.random.key(0), jnp.zeros((3, LEADS), bool), probability)
    assert not empty.any()


def test_no_lead_is_dropped_at_probability_zero():
    mask = np.random.default_rng(0).random((50, LEADS)) < 0.6
    np.testing.assert_array_equal(drop_leads(jax.random.key(0), jnp.asarray(mask), 0.0), mask)


# --- validity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "n_valid"), [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (199, 19), (200, 20)])
def test_a_patch_is_valid_when_all_its_samples_lie_before_the_length(length, n_valid):
    lead_mask = jnp.asarray([[True, False, True]])
    valid = masking.valid_tokens(lead_mask, jnp.asarray([length], jnp.int32), PATCHES, SAMPLES)
    assert valid.sum(2).tolist() == [[n_valid, 0, n_valid]]
    assert valid[0, 0, :n_valid].all()


def test_evaluation_keeps_every_valid_token_in_order():
    valid = validity([12, 3, 1, 5], [20, 20, 7, 1])
    slots = masking.all_valid(jnp.asarray(valid))
    assert live_tokens(slots) == [np.flatnonzero(record.ravel()).tolist() for record in valid]
