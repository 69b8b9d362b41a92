"""Which tokens are kept and hidden: counts by hand arithmetic, order and validity by NumPy sets."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models import masking
from cgdmer_jax.models.masking import Slots

LEADS, PATCHES = 12, 20
SAMPLES = 10  # of a patch
FULL = PATCHES * SAMPLES
HIDE = 0.75
SLOTS = 60  # round(0.25 * 240)
STRATEGIES = ("random", "spatiotemporal")
# Expected k_i for 1..12 leads of 20 patches, a quarter kept: 5 a lead.
K_OF_FULL_LEADS = {n: 5 * n for n in range(1, 13)}
# The same for 13 patches (n_i = 13 n), round half to even, by hand: 3.25 6.5 9.75 13 16.25 19.5 22.75 26 29.25 32.5 ...
K_OF_SHORT_LEADS = dict(zip(range(1, 13), (3, 6, 10, 13, 16, 20, 23, 26, 29, 32, 36, 39), strict=True))


BLOCK = 500  # records drawn at a time: one compilation a strategy
draw_block = jax.jit(partial(masking.draw_masks, hide_ratio=HIDE), static_argnames="strategy")


def draw(key, valid: np.ndarray, strategy: str) -> tuple[Slots, Slots]:
    n = len(valid)
    padded = np.concatenate([valid, np.zeros((-n % BLOCK, LEADS, PATCHES), bool)])
    keys = jax.random.split(key, len(padded) // BLOCK)
    blocks = [
        draw_block(k, jnp.asarray(v), strategy=strategy)
        for k, v in zip(keys, padded.reshape(-1, BLOCK, LEADS, PATCHES), strict=True)
    ]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *blocks)


drop_leads = jax.jit(masking.drop_leads, static_argnames="probability")
penalty_of = jax.jit(masking._lead_and_time_penalty)


def validity(n_leads: list[int], n_patches: list[int], seed: int = 0) -> np.ndarray:
    """bool [record, lead, patch]: as many leads as asked, at random places; as many patches, from the start."""
    order = np.random.default_rng(seed)
    valid = np.zeros((len(n_leads), LEADS, PATCHES), bool)
    for record, (leads, patches) in enumerate(zip(n_leads, n_patches, strict=True)):
        valid[record, order.permutation(LEADS)[:leads], :patches] = True
    return valid


def live_tokens(slots: Slots) -> list[list[int]]:
    return [row[:n].tolist() for row, n in zip(np.asarray(slots.index), np.asarray(slots.length), strict=True)]


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


@pytest.mark.parametrize("hide_ratio", [0.5, 0.6, 0.75, 0.9])
def test_no_record_keeps_more_than_there_are_slots(hide_ratio):
    slots = masking.kept_slots(hide_ratio, LEADS * PATCHES)
    assert slots == round((1 - hide_ratio) * 240)
    n_valid = jnp.arange(241)
    k = np.asarray(masking.kept_counts(n_valid, hide_ratio, slots))
    assert k[0] == 0 and (k[1:] >= 1).all() and k.max() == k[240] == slots
    assert (k <= np.arange(241)).all() and (np.diff(k) >= 0).all()


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


# --- spatiotemporal ----------------------------------------------------------------------------------


def kept_grid(kept: Slots) -> np.ndarray:
    """bool [record, lead, patch]."""
    grid = np.zeros((len(kept.index), LEADS * PATCHES), bool)
    for record, tokens in enumerate(live_tokens(kept)):
        grid[record, tokens] = True
    return grid.reshape(-1, LEADS, PATCHES)


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
    penalty = np.asarray(penalty_of(jax.random.key(n_leads), jnp.asarray(valid)))
    hidden = (penalty >= 2).all(2) & valid.any(2)
    assert set(hidden.sum(1)) == set(range(min(6, n_leads - 1) + 1))


def test_columns_come_back_before_hidden_leads_where_too_few_tokens_are_left():
    """Of two to five leads, all but one hidden: the visible lead's hidden columns come first, then hidden leads."""
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
