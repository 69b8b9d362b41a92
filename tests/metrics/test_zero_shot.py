"""The affirmed share counts positives only."""

import numpy as np

from cgdmer_jax.metrics.zero_shot import affirmed_share


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
