"""Padding is cut from batched scores; the affirmed share counts positives only."""

import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.metrics.zero_shot import affirmed_share, collect_scores


def batch(rows):
    n = len(rows)
    return Batch(
        signal=np.zeros((n, 12, 10), np.int16),
        lead_mask=np.ones((n, 12), bool),
        length=np.full(n, 10, np.int32),
        row=np.array(rows, np.int32),
        tokens=np.zeros((n, 3), np.int32),
        token_mask=np.zeros((n, 3), bool),
        text_id=np.zeros(n, np.int32),
        text_columns={},
    )


def test_padded_records_of_the_last_batch_get_no_score():
    found = collect_scores(
        lambda b: np.stack([b.row, -b.row], axis=1).astype(np.float32),
        [(batch([4, 5]), 2), (batch([6, 6]), 1)],
    )
    np.testing.assert_array_equal(found, [[4, -4], [5, -5], [6, -6]])


def test_affirmed_share_worked_by_hand():
    affirmed = np.array([[0.9, 0.1], [0.2, 0.3], [0.5, 0.0], [0.0, 0.7]])
    negated = np.array([[0.1, 0.5], [0.6, 0.3], [0.4, 0.9], [0.9, 0.1]])
    labels = np.array([[True, False], [True, False], [True, False], [False, False]])
    found = affirmed_share(affirmed, negated, labels)
    np.testing.assert_allclose(found[0], 2 / 3)
    assert np.isnan(found[1])


def test_equal_scores_are_no_understanding():
    same = np.zeros((3, 1))
    assert affirmed_share(same, same, np.ones((3, 1), bool))[0] == 0
