"""The bootstrap at once equals the naive loop that repeats the records of every drawn patient."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cgdmer_jax.metrics import bootstrap, metrics


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(3)
    patients = rng.integers(0, 60, 90)
    labels = rng.random((90, 4)) < np.array([0.5, 0.2, 0.05, 0.02])
    scores = np.round(rng.normal(size=(90, 4)) + labels, 1)  # rounded: many ties
    return patients, scores, labels, bootstrap.patient_weights(patients, 40, seed=5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda *case: bootstrap.bootstrap_both(*case)[0], roc_auc_score),
        (lambda *case: bootstrap.bootstrap_both(*case)[1], average_precision_score),
        (bootstrap.bootstrap_auroc, roc_auc_score),
    ],
)
def test_every_resample_equals_scikit_learn_on_repeated_records(case, ours, theirs):
    _, scores, labels, weights = case
    values = ours(scores, labels, weights)
    for resample, weight in enumerate(weights):
        rows = np.repeat(np.arange(len(scores)), weight)
        for k in range(labels.shape[1]):
            y = labels[rows, k]
            if not y.any() or (y.all() and theirs is roc_auc_score):
                assert np.isnan(values[resample, k])
            else:
                np.testing.assert_allclose(values[resample, k], theirs(y, scores[rows, k]), atol=1e-12)


def test_a_class_of_positives_alone_has_a_precision_of_one_and_no_auroc(case):
    _, scores, labels, weights = case
    every = np.ones_like(labels)
    auroc, auprc = bootstrap.bootstrap_both(scores, every, weights)
    assert np.isnan(auroc).all()
    np.testing.assert_array_equal(auprc, 1.0)


def test_a_patient_is_drawn_with_all_their_records(case):
    patients, _, _, weights = case
    for patient in np.unique(patients):
        mine = weights[:, patients == patient]
        assert (mine == mine[:, :1]).all()


def test_each_resample_draws_as_many_patients_as_there_are(case):
    patients, _, _, weights = case
    _, first = np.unique(patients, return_index=True)
    assert (weights[:, first].sum(1) == len(first)).all()
    assert weights.std(0).min() > 0


def test_same_seed_same_resamples_another_seed_others(case):
    patients, _, _, weights = case
    assert np.array_equal(weights, bootstrap.patient_weights(patients, 40, seed=5))
    assert not np.array_equal(weights, bootstrap.patient_weights(patients, 40, seed=6))


def test_chunks_of_resamples_change_nothing(case, monkeypatch):
    _, scores, labels, weights = case
    whole = bootstrap.bootstrap_auroc(scores, labels, weights)
    monkeypatch.setattr(bootstrap, "CHUNK_ELEMENTS", 7 * len(scores))
    np.testing.assert_array_equal(bootstrap.bootstrap_auroc(scores, labels, weights), whole)


def test_interval_is_the_percentiles_of_defined_resamples():
    samples = np.concatenate([np.linspace(0, 1, 1001), [np.nan] * 50])
    np.testing.assert_allclose(bootstrap.interval(samples), (0.025, 0.975))
    assert np.isnan(bootstrap.interval(np.full(3, np.nan))).all()


def test_interval_covers_the_true_auroc_in_about_95_of_100_draws():
    rng = np.random.default_rng(0)
    truth = 0.76025  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    covered = 0
    for trial in range(200):
        labels = np.arange(120)[:, None] < 40
        scores = rng.normal(size=(120, 1)) + labels
        weights = bootstrap.patient_weights(np.arange(120), 200, seed=trial)
        low, high = bootstrap.interval(bootstrap.bootstrap_auroc(scores, labels, weights)[:, 0])
        covered += low <= truth <= high
    assert 0.89 < covered / 200 < 0.99


def test_every_training_seed_is_drawn_about_as_often():
    counts = np.bincount(bootstrap.seed_of_resample(3, 6000, seed=0), minlength=3)
    assert len(counts) == 3 and abs(counts - 2000).max() < 200
    np.testing.assert_array_equal(bootstrap.seed_of_resample(1, 50, seed=0), 0)


def test_macro_of_the_resamples_is_taken_within_each_resample(case):
    _, scores, labels, weights = case
    values = bootstrap.bootstrap_auroc(scores, labels, weights)
    macro = metrics.macro(values, np.array([True, True, False, False]))
    np.testing.assert_allclose(macro, values[:, :2].mean(1))
