"""Cross-validation by patient, beside scikit-learn and by its definition."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.cross_validation import cross_validate, patient_folds
from cgdmer_jax.metrics.probe import STRENGTHS

RNG = np.random.default_rng(0)
PATIENTS = np.repeat(np.arange(60), 3)
X = RNG.normal(size=(180, 5))
Y = X[:, :2] + RNG.normal(size=(180, 2)) > 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 40), st.integers(2, 5), st.integers(0, 2**16))
def test_a_patient_is_in_one_fold_and_a_fold_has_two_patients_or_more(n_patients, n_folds, seed):
    rng = np.random.default_rng(seed)
    # Some patients have many recordings: folds of equally many records could be of a single one of them.
    patients = np.concatenate([np.arange(n_patients), rng.zipf(1.5, 60) % n_patients])
    fold = patient_folds(rng.random((len(patients), 3)) < 0.2, patients, n_folds, seed)
    assert all(len(set(fold[patients == one])) == 1 for one in range(n_patients))
    assert all(len(set(patients[fold == number])) >= 2 for number in range(n_folds))


def test_a_rare_class_is_spread_over_the_folds():
    labels = np.zeros((100, 1), bool)
    labels[:10] = True
    fold = patient_folds(labels, np.arange(100), 5, 0)
    assert [int(labels[fold == number].sum()) for number in range(5)] == [2] * 5


def folds_of(y, patients=PATIENTS, n_folds=3, n_draws=1):
    return np.stack([patient_folds(y, patients, n_folds, seed) for seed in range(n_draws)])


def test_each_record_is_scored_by_a_probe_of_the_other_folds_in_every_draw():
    folds = folds_of(Y, n_draws=2)
    made = cross_validate(X, Y, folds)
    assert made.probabilities.shape == (2, *Y.shape)
    for draw, number in np.ndindex(2, 3):
        scored = folds[draw] == number
        train = X[~scored]
        by_strength = []
        for strength in STRENGTHS:
            standard = (train - train.mean(0)) / train.std(0)
            fitted = LogisticRegression(C=strength, tol=1e-8, max_iter=1000).fit(standard, Y[~scored, 0])
            by_strength.append(fitted.predict_proba((X[scored] - train.mean(0)) / train.std(0))[:, 1])
        distance = [np.abs(one - made.probabilities[draw, scored, 0]).max() for one in by_strength]
        assert min(distance) < 1e-4


def test_the_figures_of_noise_are_those_of_chance_however_few_the_records():
    """Features that fit the labels of their own records perfectly would score 1 if a record scored itself."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 200)), rng.random((60, 1)) < 0.5
    made = cross_validate(x, y, folds_of(y, np.arange(60), n_folds=5))
    assert 0.2 < roc_auc_score(y[:, 0], made.probabilities[0, :, 0]) < 0.8
    assert roc_auc_score(y[:, 0], made.path.scores(x)[-1][:, 0]) == 1.0


def test_a_class_is_learned_only_if_every_fold_leaves_positives_and_others_to_the_rest():
    y = np.zeros((180, 4), bool)
    y[:3, 0] = True  # one patient
    y[[0, 90], 1] = True
    y[:, 2] = True
    y[3:, 3] = True  # all but one patient
    assert cross_validate(X, y, folds_of(y)).learned.tolist() == [False, True, False, False]


def test_a_class_that_one_draw_cannot_learn_is_not_learned():
    fold, together = folds_of(Y)[0], np.zeros((180, 1), bool)
    together[fold == 0] = True
    apart = np.arange(180) % 3
    assert cross_validate(X, together, apart[None]).learned.tolist() == [True]
    assert cross_validate(X, together, np.stack([apart, fold])).learned.tolist() == [False]


def test_the_strength_is_the_one_of_least_loss_over_all_draws():
    """By scikit-learn's losses of every strength, fold and draw."""
    folds = folds_of(Y, n_draws=2)
    made = cross_validate(X, Y, folds)
    losses = np.zeros(len(STRENGTHS))
    for (draw, number), (place, strength) in product(np.ndindex(2, 3), enumerate(STRENGTHS)):
        scored = folds[draw] == number
        standard = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-8, max_iter=1000))
        for k in range(2):
            p = standard.fit(X[~scored], Y[~scored, k]).predict_proba(X[scored])
            losses[place] += log_loss(Y[scored, k], p, normalize=False)
    assert made.strength == losses.argmin()


def test_fewer_than_two_patients_a_fold_are_told():
    with pytest.raises(CgdmerError, match=r"9 patients are too few for 5 folds of two or more; .* \(3 at least\)"):
        patient_folds(np.ones((18, 1), bool), np.repeat(np.arange(9), 2), 5, 0)
