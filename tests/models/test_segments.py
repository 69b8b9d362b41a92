"""Masking lead by lead: how many leads stay, how many segments of each, and that chance alone decides which."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.masking.segments import draw_segments, keep_leads

N, LEADS, PATCHES = 400, 12, 10


def test_a_record_keeps_one_of_the_numbers_of_leads_each_as_often_and_each_lead_as_often():
    everything = jnp.ones((N, LEADS), bool)
    kept = np.asarray(keep_leads(jax.random.key(0), everything, (9, 10, 11), 1.0))
    counts = np.bincount(kept.sum(1), minlength=LEADS + 1)
    assert counts[9:12].sum() == N and counts[9:12].min() > N / 3 - 4 * np.sqrt(N * 2 / 9)
    np.testing.assert_allclose(kept.mean(0), 10 / 12, atol=0.08)


def test_a_share_of_the_records_loses_leads_and_one_that_has_few_keeps_them_all():
    everything = jnp.ones((N, LEADS), bool)
    whole = np.asarray(keep_leads(jax.random.key(1), everything, (1, 2, 3), 0.5)).all(1)
    assert abs(whole.mean() - 0.5) < 0.1
    present = jnp.arange(LEADS) < jnp.arange(N)[:, None] % LEADS + 1
    kept = np.asarray(keep_leads(jax.random.key(2), present, (3,), 1.0))
    assert not np.any(kept & ~present)
    np.testing.assert_array_equal(kept.sum(1), np.minimum(present.sum(1), 3))


@pytest.mark.parametrize(("ratio", "n_kept"), [(0.25, 8), (0.5, 5), (0.0, 10)])
def test_each_lead_keeps_equally_many_segments_chosen_on_its_own(ratio, n_kept):
    valid = np.ones((N, LEADS, PATCHES), bool)
    valid[1, 3:] = False  # leads that are not there
    valid[2, :, 5:] = False  # a short recording
    slots = draw_segments(jax.random.key(0), jnp.asarray(valid), ratio)
    assert slots.index.shape == (N, LEADS * n_kept)
    kept = np.zeros((N, LEADS * PATCHES), bool)
    for record in range(N):
        own = np.asarray(slots.index[record, : int(slots.length[record])])
        assert np.all(np.diff(own) > 0)  # each once, in order
        kept[record, own] = True
    kept = kept.reshape(valid.shape)
    assert not np.any(kept & ~valid)
    expected = np.full((N, LEADS), n_kept)
    expected[1, 3:] = 0
    expected[2] = max(1, round((1 - ratio) * 5))
    np.testing.assert_array_equal(kept.sum(2), expected)
    if ratio:
        assert np.mean(kept[3:, 0] == kept[3:, 1]) < 0.75  # another choice in every lead
        np.testing.assert_allclose(kept[3:].mean((0, 1)), n_kept / PATCHES, atol=0.05)
