"""Ranks, predictability, gap and alignment against closed forms, SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import ortho_group, rankdata
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from cgdmer_jax.metrics import diagnostics as maths
from cgdmer_jax.metrics.bootstrap import patient_weights
from cgdmer_jax.metrics.diagnostics import FeatureSplits


def with_spectrum(singular, n=60, seed=0):
    """Centred [n, len(singular)] with exactly these singular values."""
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(n, len(singular)))
    left, _ = np.linalg.qr(left - left.mean(0))
    return left @ np.diag(singular) @ ortho_group.rvs(len(singular), random_state=rng).T


def draws(x, n_fit=300, n_choose=100):
    return FeatureSplits(*np.split(x, [n_fit, n_fit + n_choose]))


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize(
    ("singular", "effective", "stable"),
    [
        ([2.0, 2.0, 2.0, 2.0], 4.0, 4.0),
        ([5.0, 0.0, 0.0, 0.0], 1.0, 1.0),
        ([3.0, 1.0], np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)), 10 / 9),
    ],
)
def test_ranks_of_known_spectra(singular, effective, stable):
    x = with_spectrum(singular)
    shifted = (x + 7.0).astype(np.float32)  # where the cloud lies is no part of its rank
    for found in (maths.rank(x), maths.rank(shifted)):
        assert found == pytest.approx((effective, stable), rel=1e-4)


def test_a_part_that_collapsed_to_a_constant_has_rank_zero(rng):
    x = np.tile(rng.normal(size=(1, 16)), (500, 1)).astype(np.float32)
    assert maths.rank(x) == (0.0, 0.0)


def test_regression_and_its_r_squared_equal_scikit_learn(rng):
    x = rng.normal(size=(400, 12)) * 5 + 3
    y = x[:, :3] @ rng.normal(size=(3, 2)) + rng.normal(size=(400, 2)) + 40
    fitted = maths.fit_regression(x[:300], y[:300], x[300:], y[300:], penalties=(20.0,))
    standard = (x - x[:300].mean(0)) / x[:300].std(0)
    oracle = Ridge(alpha=20.0).fit(standard[:300], y[:300]).predict(standard[300:])
    np.testing.assert_allclose(fitted.predict(x[300:]), oracle, atol=1e-9)
    expected = r2_score(y[300:, :1], oracle[:, :1])
    assert maths.r_squared(y[300:, :1], oracle[:, :1]) == pytest.approx(expected, abs=1e-12)


def test_the_penalty_is_the_one_of_least_error_on_the_choosing_records(rng):
    x, y = rng.normal(size=(60, 50)), rng.normal(size=(60, 1))
    assert maths.fit_regression(x[:40], y[:40], x[40:], y[40:]).penalty == max(maths.PENALTIES)
    y = x[:, :1]
    assert maths.fit_regression(x[:40], y[:40], x[40:], y[40:]).penalty == min(maths.PENALTIES)


def test_every_bootstrap_r_squared_equals_that_of_the_repeated_records(rng):
    y = rng.normal(size=(50, 1)) + 1e4  # far from 0: the sums may not cancel
    predicted = y + 0.3 * rng.normal(size=(50, 1))
    weights = patient_weights(np.repeat(np.arange(25), 2), 20, seed=0)
    found = maths.r_squared_samples(y, predicted, weights)
    expected = [r2_score(np.repeat(y, w, axis=0), np.repeat(predicted, w, axis=0)) for w in weights]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.isnan(maths.r_squared(np.ones((9, 1)), np.zeros((9, 1))))


def test_a_linear_copy_is_predicted_and_independent_noise_is_not(rng):
    x = rng.normal(size=(600, 8))
    copy = x @ rng.normal(size=(8, 5)) * np.logspace(-3, 3, 5)  # columns of every size count alike
    assert maths.predictability(draws(x), draws(copy)) > 0.999
    half = copy + rng.normal(size=copy.shape) * copy.std(0)
    assert maths.predictability(draws(x), draws(half)) == pytest.approx(0.5, abs=0.07)
    assert abs(maths.predictability(draws(x), draws(rng.normal(size=(600, 5))))) < 0.05


def test_a_shifted_cloud_has_the_gap_of_its_shift_and_none_after_centring(rng):
    ecg = rng.normal(size=(900, 6))
    text = rng.normal(size=(900, 6)) + np.array([3.0, 4.0, 0, 0, 0, 0])
    before = maths.modality_gap(draws(ecg), draws(text))
    assert before.distance == pytest.approx(5.0, abs=0.25)
    assert before.spread == pytest.approx(np.sqrt(6), abs=0.1)
    assert before.classifier_auroc > 0.99 and before.classifier_accuracy > 0.97
    after = maths.modality_gap(maths.centred(draws(ecg)), maths.centred(draws(text)))
    assert after.distance < 0.35 and 0.4 < after.classifier_auroc < 0.6


def test_centring_uses_the_fitting_records_alone(rng):
    x = draws(rng.normal(size=(500, 2)))
    moved = maths.centred(x._replace(score=x.score + 100))
    np.testing.assert_allclose(moved.fit.mean(0), 0, atol=1e-12)
    assert (moved.score.mean(0) > 99).all()


def test_loss_and_rank_of_each_record_by_hand(rng):
    ecg, gallery = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 7, 5)))
    gallery[5] = gallery[0]  # a tie of the two
    own = np.array([0, 1, 2, 3, 3, 0, 6])
    found = maths.alignment_of_records(ecg, gallery, own, 0.1)
    for i, similarity in enumerate(ecg @ gallery.T):
        share = np.exp(similarity / 0.1) / np.exp(similarity / 0.1).sum()
        assert found.loss[i] == pytest.approx(-np.log(share[own[i]]))
        assert found.rank[i] == rankdata(-similarity)[own[i]]


def test_quartiles_of_length_hold_every_record_once_and_keep_equal_lengths_together():
    length = np.array([3, 3, 3, 3, 3, 4, 5, 6, 7, 20])
    aligned = maths.Aligned(np.arange(10.0), np.arange(1, 11) * 3.0)
    rows = maths.by_length(length, aligned)
    assert [(r["shortest"], r["longest"], r["n"]) for r in rows] == [(3, 3, 5), (4, 6, 3), (7, 20, 2)]
    assert [r["loss"] for r in rows] == [2.0, 6.0, 8.5]
    assert [r["median_rank"] for r in rows] == [9, 21, 28.5]
    assert [r["recall_at_10"] for r in rows] == pytest.approx([0.6, 0, 0])
