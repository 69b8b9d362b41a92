"""Input of the encoder when leads are taken away."""

import numpy as np
import pytest

from cgdmer_jax.batch import Batch
from cgdmer_jax.evaluation import missing_leads


@pytest.fixture
def batch():
    """Six recordings, of which the last lacks all but two leads."""
    rng = np.random.default_rng(0)
    lead_mask = np.ones((6, 12), bool)
    lead_mask[5, 2:] = False
    signal = rng.integers(1, 900, (6, 12, 20)).astype(np.int16) * lead_mask[:, :, None]
    zeros = np.zeros((6, 4), np.int32)
    length, row = np.full(6, 20, np.int32), np.arange(6, dtype=np.int32) + 40
    return Batch(signal, lead_mask, length, row, zeros, zeros > 0, zeros[:, 0], {})


def test_native_marks_the_other_leads_absent(batch):
    given = missing_leads._fixed(("I", "V2"))(batch)
    made = missing_leads.with_leads(batch, given, "native").check()
    assert np.flatnonzero(made.lead_mask[0]).tolist() == [0, 7]
    np.testing.assert_array_equal(made.signal[0, [0, 7]], batch.signal[0, [0, 7]])
    assert not made.signal[:, 1].any() and np.flatnonzero(made.lead_mask[5]).tolist() == [0]


def test_zero_fill_marks_them_recorded_at_zero_and_leaves_an_absent_lead_that_is_given_absent(batch):
    given = missing_leads._fixed(("I", "V2"))(batch)
    made = missing_leads.with_leads(batch, given, "zero_fill").check()
    assert made.lead_mask[0].all() and not made.signal[0, 1].any()
    assert np.flatnonzero(~made.lead_mask[5]).tolist() == [7]
    np.testing.assert_array_equal(made.signal[:, 0], batch.signal[:, 0])


def test_three_leads_are_taken_at_random_and_one_stays_whatever_the_order_of_the_records(batch):
    given = missing_leads._without_random_leads(0)(batch)
    assert given[:5].sum(1).tolist() == [9] * 5 and given[5].sum() == 1
    assert not (given & ~batch.lead_mask).any()
    assert len({tuple(row) for row in given[:5]}) > 1
    turned = batch._replace(row=batch.row[::-1], lead_mask=batch.lead_mask[::-1])
    np.testing.assert_array_equal(missing_leads._without_random_leads(0)(turned)[::-1], given)
    assert (missing_leads._without_random_leads(1)(batch) != given).any()
