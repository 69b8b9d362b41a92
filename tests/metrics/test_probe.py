"""The joint probe against scikit-learn's logistic regression, class by class."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import probe


@pytest.fixture(scope="module")
def case():
    """Correlated features, classes from common to two positives, one without any."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 30)) @ rng.normal(size=(30, 30)) + 5
    y = x @ rng.normal(size=(30, 6)) * 0.2 + 2 * rng.normal(size=(700, 6)) > np.array([0, 2, 3, 4, 5, 500])
    y[:, 4] = np.isin(np.arange(700), [3, 77])
    return x, y


def test_weights_equal_scikit_learn_to_1e_4_for_every_strength(case):
    x, y = case
    x = (x - x.mean(0)) / x.std(0)
    weights, bias, fitted = probe.fit_logistic(x, y, probe.STRENGTHS)
    assert fitted.tolist() == [True] * 5 + [False]
    for i, strength in enumerate(probe.STRENGTHS):
        for k in range(5):
            model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10, max_iter=500)
            model.fit(x, y[:, k])
            np.testing.assert_allclose(weights[i, :, k], model.coef_[0], atol=1e-4)
            np.testing.assert_allclose(bias[i, k], model.intercept_[0], atol=1e-4)


def test_more_features_than_records_still_equals_scikit_learn():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 200))
    y = rng.random((60, 2)) < 0.3
    weights, bias, _ = probe.fit_logistic(x, y, (10.0,))
    for k in range(2):
        model = LogisticRegression(C=10.0, solver="newton-cholesky", tol=1e-10, max_iter=500).fit(x, y[:, k])
        np.testing.assert_allclose(weights[0, :, k], model.coef_[0], atol=1e-4)
        np.testing.assert_allclose(bias[0, k], model.intercept_[0], atol=1e-4)


def test_classes_fitted_together_equal_classes_fitted_alone(case):
    x, y = case
    x = (x - x.mean(0)) / x.std(0)
    together, _, _ = probe.fit_logistic(x, y, (1.0,))
    alone, _, _ = probe.fit_logistic(x, y[:, 2:3], (1.0,))
    np.testing.assert_allclose(together[0, :, 2], alone[0, :, 0], atol=1e-5)


def test_strength_is_the_one_of_least_validation_loss_over_classes_with_10_positives(case):
    x, y = case
    train, valid = slice(0, 450), slice(450, 700)
    fit = probe.fit_probe(x[train], y[train], x[valid], y[valid])
    judged = (y[valid].sum(0) >= 10) & fit.fitted
    losses = []
    for strength in probe.STRENGTHS:
        one = probe.fit_probe(x[train], y[train], x[valid], y[valid], strengths=(strength,))
        p = one.scores(x[valid])[:, judged]
        losses.append(-np.mean(np.log(np.where(y[valid][:, judged], p, 1 - p))))
    assert fit.strength == probe.STRENGTHS[int(np.argmin(losses))]
    np.testing.assert_allclose(fit.losses, losses, rtol=1e-6)
    assert fit.n_chosen_on == judged.sum() < y.shape[1]


def test_scores_standardise_with_the_training_draw(case):
    x, y = case
    fit = probe.fit_probe(x[:450], y[:450], x[450:], y[450:], strengths=(1.0,))
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)
    standard = (x - x[:450].mean(0)) / x[:450].std(0)
    expected = model.fit(standard[:450], y[:450, 1]).predict_proba(standard[450:])[:, 1]
    np.testing.assert_allclose(fit.scores(x[450:])[:, 1], expected, atol=1e-4)


def test_class_without_positives_scores_constant_and_says_so(case):
    x, y = case
    fit = probe.fit_probe(x[:450], y[:450], x[450:], y[450:])
    scores = fit.scores(x[450:])[:, 5]
    assert not fit.fitted[5] and np.ptp(scores) == 0 and 0 < scores[0] < 0.01


def test_constant_feature_is_harmless(case):
    x, y = case
    with_constant = np.concatenate([x, np.full((len(x), 1), 7.0)], axis=1)
    fit = probe.fit_probe(with_constant[:450], y[:450], with_constant[450:], y[450:], strengths=(1.0,))
    plain = probe.fit_probe(x[:450], y[:450], x[450:], y[450:], strengths=(1.0,))
    np.testing.assert_allclose(fit.scores(with_constant), plain.scores(x), atol=1e-6)


def test_no_records_is_told_in_one_sentence(case):
    x, y = case
    with pytest.raises(CgdmerError, match="0 validation records"):
        probe.fit_probe(x, y, x[:0], y[:0])


def test_features_that_are_not_finite_are_told_in_one_sentence(case):
    x, y = case
    broken = x.copy()
    broken[3, 4] = np.nan
    with pytest.raises(CgdmerError, match="not finite"):
        probe.fit_probe(broken, y, x, y)


def test_path_chooses_on_whatever_validation_it_is_given(case):
    x, y = case
    path = probe.fit_probe_path(x[:300], y[:300])
    scores = path.scores(x[300:])
    for part in (np.arange(400), np.arange(0, 400, 17)):
        alone = probe.fit_probe(x[:300], y[:300], x[300:][part], y[300:][part])
        best = path.best(scores[:, part], y[300:][part])
        assert probe.STRENGTHS[best] == alone.strength
        np.testing.assert_allclose(1 / (1 + np.exp(-scores[best])), alone.scores(x[300:]), atol=1e-9)
