"""AUROC and AUPRC against scikit-learn; Brier and ECE against figures worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, average_precision_score, precision_recall_curve, roc_auc_score

from cgdmer_jax.metrics import metrics

SCORES = hnp.arrays(np.float64, st.tuples(st.integers(2, 30), st.just(2)), elements=st.integers(-3, 3).map(float))


@settings(max_examples=80)
@given(SCORES, st.data())
def test_auroc_and_auprc_equal_scikit_learn_with_ties(scores, data):
    labels = data.draw(hnp.arrays(bool, scores.shape))
    auroc, auprc = metrics.auroc_and_auprc(scores, labels)
    np.testing.assert_array_equal(metrics.auroc(scores, labels), auroc)
    for k in range(2):
        if labels[:, k].all() or not labels[:, k].any():
            assert np.isnan(auroc[k])
        else:
            np.testing.assert_allclose(auroc[k], roc_auc_score(labels[:, k], scores[:, k]), atol=1e-12)
        if labels[:, k].any():
            expected = average_precision_score(labels[:, k], scores[:, k])
            np.testing.assert_allclose(auprc[k], expected, atol=1e-12)
        else:
            assert np.isnan(auprc[k])


def test_auroc_is_the_share_of_ordered_pairs_worked_by_hand():
    scores = np.array([[0.1], [0.4], [0.4], [0.8]])
    labels = np.array([[False], [True], [False], [True]])
    # pairs (0.4 > 0.1) 1, (0.4 = 0.4) 1/2, (0.8 > 0.1) 1, (0.8 > 0.4) 1
    assert metrics.auroc(scores, labels)[0] == 3.5 / 4


def test_brier_worked_by_hand():
    probabilities = np.array([[0.9, 0.5], [0.2, 0.5]])
    labels = np.array([[True, True], [False, False]])
    np.testing.assert_allclose(metrics.brier(probabilities, labels), [(0.01 + 0.04) / 2, 0.25])


def test_ece_worked_by_hand():
    # 0.95 and 0.97 share the last of 15 bins, 0.02 lies in the first; 1.0 belongs to the last bin.
    probabilities = np.array([[0.95], [0.97], [0.02], [1.0]])
    labels = np.array([[True], [False], [False], [True]])
    last = abs((0.95 + 0.97 + 1.0) - 2)
    np.testing.assert_allclose(metrics.ece(probabilities, labels), [(last + 0.02) / 4])


def test_ece_of_true_probabilities_is_small_and_of_halved_ones_is_not():
    rng = np.random.default_rng(0)
    p = rng.random((20_000, 1))
    labels = rng.random(p.shape) < p
    assert metrics.ece(p, labels)[0] < 0.02
    assert metrics.ece(p / 2, labels)[0] > 0.2


def test_macro_drops_an_undefined_class_from_its_row_only():
    values = np.array([[0.5, np.nan, 0.7], [0.5, 0.9, 0.7], [np.nan, np.nan, 0.7]])
    np.testing.assert_allclose(metrics.macro(values, np.array([True, True, False])), [0.5, 0.7, np.nan])


def test_best_f1_and_its_accuracy_equal_the_release_s_way_with_scikit_learn():
    rng = np.random.default_rng(4)
    labels = rng.random((200, 4)) < np.array([0.4, 0.1, 0.02, 0.0])
    scores = np.round(rng.normal(size=(200, 4)) + labels, 1)  # rounded: ties
    made = metrics.best_f1(scores, labels)
    for k in range(3):
        precision, recall, thresholds = precision_recall_curve(labels[:, k], scores[:, k])
        both = recall + precision
        f1 = np.divide(2 * recall * precision, both, out=np.zeros_like(both), where=both != 0)
        assert made.f1[k] == pytest.approx(f1.max())
        above = scores[:, k] > thresholds[np.argmax(f1)]
        assert made.accuracy[k] == pytest.approx(accuracy_score(labels[:, k], above))
    assert np.isnan(made.f1[3]) and np.isnan(made.accuracy[3])
