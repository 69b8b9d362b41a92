"""Paired differences over patients and seeds, by hand with scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.evaluation.ablation import macro_auroc, macro_interval, paired_difference
from cgdmer_jax.evaluation.bootstrap import patient_weights, seed_of_resample

N = 160
WEIGHTS = patient_weights(np.arange(N) // 2, 60, seed=0)


@pytest.fixture(scope="module")
def labels():
    made = np.random.default_rng(0).random((N, 3)) < np.array([0.5, 0.3, 0.02])
    assert 0 < made[:, 2].sum() < 10  # in no macro_ge10
    return made


def scores(labels, skill, seeds):
    return {s: np.random.default_rng([7, s]).random(labels.shape) + skill * labels for s in seeds}


def by_hand(side, reference, labels, weights=None):
    def macro(one):
        return np.mean([roc_auc_score(labels[:, k], one[:, k], sample_weight=weights) for k in range(2)])

    return macro(side) - macro(reference)


def test_value_and_interval_equal_those_of_the_weighted_records_of_the_drawn_seed(labels):
    row, reference = scores(labels, 0.6, (0, 1, 2)), scores(labels, 0.3, (0, 1, 2))
    found = paired_difference(row, reference, labels, WEIGHTS)
    assert found.n_seeds == 3
    assert found.value == pytest.approx(np.mean([by_hand(row[s], reference[s], labels) for s in range(3)]))
    drawn = seed_of_resample(3, len(WEIGHTS), 0)
    samples = [by_hand(row[s], reference[s], labels, w) for s, w in zip(drawn, WEIGHTS, strict=True)]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(samples, [0.025, 0.975])))
    assert macro_auroc(row, labels) > macro_auroc(reference, labels)


def test_only_seeds_that_both_have_are_compared(labels):
    row, reference = scores(labels, 0.6, (1,)), scores(labels, 0.3, (0, 1, 2))
    found = paired_difference(row, reference, labels, WEIGHTS)
    assert found.n_seeds == 1 and found.value == pytest.approx(by_hand(row[1], reference[1], labels))
    with pytest.raises(ValueError, match="a seed that both"):
        paired_difference(row, {0: reference[0]}, labels, WEIGHTS)


def test_a_row_less_itself_is_zero_and_pairing_makes_a_close_row_s_interval_narrow(labels):
    row = scores(labels, 0.6, (0, 1))
    same = paired_difference(row, row, labels, WEIGHTS)
    assert same[:3] == (0, 0, 0)
    close = {s: x + 0.02 * np.random.default_rng(s).random(x.shape) for s, x in row.items()}
    found = paired_difference(close, row, labels, WEIGHTS)
    assert found.high - found.low < 0.03


def test_a_class_that_one_side_could_not_learn_counts_on_neither(labels):
    row, reference = scores(labels, 0.6, (0,)), scores(labels, 0.3, (0,))
    row[0][:, 1] = 0.25
    found = paired_difference(row, reference, labels, WEIGHTS)
    expected = [roc_auc_score(labels[:, 0], side[0][:, 0]) for side in (row, reference)]
    assert found.value == pytest.approx(expected[0] - expected[1])


def test_the_interval_of_one_run_is_that_of_its_weighted_macro(labels):
    one = scores(labels, 0.4, (0,))[0]
    samples = [np.mean([roc_auc_score(labels[:, k], one[:, k], sample_weight=w) for k in range(2)]) for w in WEIGHTS]
    assert macro_interval(one, labels, WEIGHTS) == pytest.approx(tuple(np.quantile(samples, [0.025, 0.975])))
    assert np.isnan(macro_interval(one, labels & False, WEIGHTS).low)
