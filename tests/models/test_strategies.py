"""Tokens that each masking strategy hides: whole leads, columns, blocks; shares by hand arithmetic."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.masking import strategies
from cgdmer_jax.models.masking.strategies import STRATEGIES
from tests.models.masks import HIDE, LEADS, PATCHES, SECONDS, draw, draw_block, kept_grid, validity

penalty_of = jax.jit(
    partial(strategies.penalty, mask_ratio=HIDE, patch_seconds=SECONDS),
    static_argnames="strategy",
)
FULL = np.ones((2000, LEADS, PATCHES), bool)


@pytest.fixture(scope="module")
def grids() -> dict[str, np.ndarray]:
    """Tokens of 2,000 whole records that each strategy keeps."""
    return {strategy: kept_grid(draw(jax.random.key(0), FULL, strategy)[0]) for strategy in STRATEGIES}


def within(share, expected, n) -> bool:
    """Five standard errors of a share of n draws."""
    return bool((np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / n)).all())


def test_an_unknown_strategy_is_an_error():
    with pytest.raises(ValueError, match="spatiotemporal"):
        penalty_of(jax.random.key(0), jnp.ones((1, 2, 3), bool), strategy="x")


# --- lead --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_patches", [PATCHES, 13])
@pytest.mark.parametrize("n_leads", range(1, 13))
def test_whole_leads_are_hidden_and_at_most_one_is_hidden_in_part(n_leads, n_patches):
    valid = validity([n_leads] * 200, [n_patches] * 200, seed=n_leads)
    grid = kept_grid(draw(jax.random.key(n_leads), valid, "lead")[0])
    shown = grid.sum(2)
    partial_leads = (shown > 0) & (shown < n_patches)
    left = grid.sum((1, 2)) % n_patches  # what does not fill a whole lead
    np.testing.assert_array_equal(partial_leads.sum(1), left > 0)
    np.testing.assert_array_equal((shown * partial_leads).sum(1), left)


def test_limb_leads_are_hidden_together_half_of_the_time(grids):
    """3 of 12 leads are shown. In half of the records all are chest leads, else by C(6,3) / C(12,3) = 1/11."""
    shown = grids["lead"].any(2)
    assert within((~shown[:, :6].any(1)).mean(), 0.5 + 0.5 / 11, len(shown))
    assert within(shown[:, :6].mean(0), 0.5 * 0.25, len(shown))
    assert within(shown[:, 6:].mean(0), 0.5 * 0.5 + 0.5 * 0.25, len(shown))


def test_with_too_few_chest_leads_some_limb_leads_are_shown():
    valid = np.zeros((400, LEADS, PATCHES), bool)
    valid[:, :7] = True  # 35 tokens kept: V1 has 20
    shown = kept_grid(draw(jax.random.key(1), valid, "lead")[0]).sum(2)
    grouped = shown[:, 6] == PATCHES
    assert (np.sort(shown, axis=1)[:, -2:] == [15, 20]).all()
    assert within(grouped.mean(), 0.5 + 0.5 / 7, 400)


# --- time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_patches", [PATCHES, 13])
@pytest.mark.parametrize("n_leads", range(1, 13))
def test_whole_columns_are_hidden_and_at_most_one_is_hidden_in_part(n_leads, n_patches):
    valid = validity([n_leads] * 200, [n_patches] * 200, seed=n_leads)
    grid = kept_grid(draw(jax.random.key(n_leads), valid, "time")[0])
    shown = grid.sum(1)
    partial_columns = (shown > 0) & (shown < n_leads)
    left = grid.sum((1, 2)) % n_leads
    np.testing.assert_array_equal(partial_columns.sum(1), left > 0)
    np.testing.assert_array_equal((shown * partial_columns).sum(1), left)
    assert not grid[:, :, n_patches:].any()


@pytest.mark.parametrize("strategy", ["random", "time", "block"])
def test_every_token_is_kept_equally_often(strategy, grids):
    share = grids[strategy].mean(0)
    assert within(share, 0.25, len(FULL))


# --- block -------------------------------------------------------------------------------------------


def runs(over: np.ndarray) -> bool:
    """True when the True items of each row stand in one run."""
    padded = np.pad(over.astype(int), [(0, 0)] * (over.ndim - 1) + [(1, 1)])
    return bool(((np.diff(padded) == 1).sum(-1) == 1).all())


def test_the_first_block_is_1_to_6_neighbouring_leads_by_2_to_10_patches():
    assert strategies.block_patches(SECONDS) == (2, 10)  # 0.4-2 s of 0.2 s
    assert strategies.block_patches(0.4) == (1, 5)
    assert strategies.block_patches(3.0) == (1, 1)
    order = np.asarray(penalty_of(jax.random.key(2), jnp.asarray(FULL), strategy="block"))
    first = order == strategies.n_blocks(LEADS, PATCHES, HIDE, SECONDS)
    leads, columns = first.any(2), first.any(1)
    np.testing.assert_array_equal(first, leads[:, :, None] & columns[:, None, :])
    assert runs(leads) and runs(columns)
    assert set(leads.sum(1)) == set(range(1, 7))
    inside = columns[~columns[:, 0] & ~columns[:, -1]]  # not cut at an end of the recording
    assert set(inside.sum(1)) == set(range(2, 11)) and columns.sum(1).max() == 10


def test_blocks_are_hidden_one_after_another_and_seldom_run_out():
    """Nothing of an earlier block is kept where anything of a later one, or beside them all, is hidden."""
    key = jax.random.key(3)
    order = np.asarray(penalty_of(jax.random.split(key, 3)[1], jnp.asarray(FULL[:500]), strategy="block"))
    kept = kept_grid(strategies_draw(key))
    highest_kept = np.where(kept, order, -1).max((1, 2))
    lowest_hidden = np.where(kept, 1e6, order).min((1, 2))
    assert (highest_kept <= lowest_hidden).all()
    assert (lowest_hidden == 0).mean() < 0.01


def strategies_draw(key):
    """`draw` gives each block of 500 records a key of its own; this is one of them."""
    return draw_block(key, jnp.asarray(FULL[:500]), strategy="block")[0]


def test_segments_hit_every_item_equally_often_and_are_cut_at_the_ends():
    over = np.asarray(strategies._segments(jax.random.key(0), (2000, 10), 12, 1, 6)).reshape(-1, 12)
    assert runs(over) and over.sum(1).max() == 6
    expected = np.mean([size / (11 + size) for size in range(1, 7)])
    assert within(over.mean(0), expected, len(over))


@pytest.mark.parametrize(("mask_ratio", "patches"), [(0.75, 25), (0.5, 50), (0.9, 50), (0.0, 5), (0.999999, 1000)])
def test_the_number_of_blocks_covers_what_is_to_be_hidden_twice_over_and_stays_below_the_last_penalty(
    mask_ratio, patches
):
    n = strategies.n_blocks(12, patches, mask_ratio, 0.2)
    assert 1 <= n < strategies.LAST


# --- spatiotemporal ----------------------------------------------------------------------------------


def test_spatiotemporal_hides_0_to_6_of_12_leads_equally_often():
    n = 3500
    kept, _ = draw(jax.random.key(5), np.ones((n, LEADS, PATCHES), bool), "spatiotemporal")
    whole = (~kept_grid(kept).any(2)).sum(1)
    # Up to 60 tokens are left where k = 60 are kept, so no further lead disappears except by rare chance.
    share = np.bincount(np.minimum(whole, 7), minlength=8) / n
    assert share[7] == 0
    assert abs(share[:7] - 1 / 7).max() < 5 * np.sqrt(1 / 7 * 6 / 7 / n)


def test_spatiotemporal_hides_10_to_30_percent_of_the_columns():
    n = 3000
    kept, _ = draw(jax.random.key(6), np.ones((n, LEADS, PATCHES), bool), "spatiotemporal")
    whole = (~kept_grid(kept).any(1)).sum(1)
    # 2..6 of 20 columns by rounding a uniform share; with 60 tokens over 14+ columns an empty one more is rare.
    assert whole.min() == 2
    assert np.mean(whole > 6) < 0.02
    middle = [np.mean(whole == c) for c in (3, 4, 5)]
    assert min(middle) > 0.19 and max(middle) < 0.31


def test_hidden_columns_are_hidden_on_every_lead():
    kept, _ = draw(jax.random.key(7), np.ones((500, LEADS, PATCHES), bool), "spatiotemporal")
    per_column = kept_grid(kept).sum(1)
    assert ((per_column == 0).sum(1) >= 2).all()


@pytest.mark.parametrize("n_leads", range(1, 13))
def test_at_least_one_lead_and_at_most_half_of_twelve_are_wholly_hidden(n_leads):
    valid = validity([n_leads] * 400, [PATCHES] * 400, seed=n_leads)
    penalty = np.asarray(penalty_of(jax.random.key(n_leads), jnp.asarray(valid), strategy="spatiotemporal"))
    hidden = (penalty >= 2).all(2) & valid.any(2)
    assert set(hidden.sum(1)) == set(range(min(6, n_leads - 1) + 1))


def test_columns_come_back_before_hidden_leads_where_too_few_tokens_are_left():
    """Two to five leads, all but one hidden: the visible lead's hidden columns come back first, then hidden leads."""
    for n_leads in (2, 3, 4, 5):
        n = 400
        valid = validity([n_leads] * n, [PATCHES] * n, seed=n_leads)
        kept, _ = draw(jax.random.key(n_leads), valid, "spatiotemporal")
        grid = kept_grid(kept)
        k = 5 * n_leads
        assert (grid.sum((1, 2)) == k).all()
        full_leads = grid.sum(2).max(1)
        spread = grid.any(2).sum(1)
        if n_leads == 3:
            # One visible lead of 20 tokens, 14-18 outside hidden columns, 15 wanted: some need a hidden column.
            one_lead = spread == 1
            assert 0.2 < one_lead.mean() < 0.5
            assert (full_leads[one_lead] == 15).all()
        if n_leads == 4:  # 20 of 20: the whole visible lead is taken before any token of a hidden one
            assert (full_leads[spread == 1] == 20).all()
            assert 0.15 < (spread == 1).mean() < 0.4
        if n_leads == 5:  # 25 of 20: five from hidden leads, outside hidden columns
            from_hidden = full_leads == 20
            assert 0.1 < from_hidden.mean() < 0.35
            for record in grid[from_hidden]:
                visible = record.sum(1).argmax()
                others = np.delete(record, visible, axis=0)
                assert others.sum() == 5
                assert (~others.any(0)).sum() >= 15
