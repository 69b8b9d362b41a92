"""Ridge in closed form against scikit-learn, from either Gram matrix."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics import roc_auc_score

from cgdmer_jax.metrics.ridge import PENALTIES, choose_penalty, fit_ridge_path, fit_ridge_paths


def fit_ridge(x_train, y_train, x_valid, y_valid, *, penalties=PENALTIES):
    path = fit_ridge_path(x_train, y_train, penalties=penalties)
    return choose_penalty(path, x_valid, y_valid, penalties=penalties)


def case(n_features):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, n_features)) + 3
    y = (x[:, :8] - 3) @ rng.normal(size=(8, 3)) + rng.normal(size=(300, 3)) > np.array([0, 1, 2])
    return x, y


@pytest.mark.parametrize("n_features", [20, 500])
def test_weights_and_scores_equal_scikit_learn(n_features):
    x, y = case(n_features)
    fit = fit_ridge(x[:200], y[:200], x[200:], y[200:], penalties=(30.0,))
    standard = (x - x[:200].mean(0)) / x[:200].std(0)
    model = SklearnRidge(alpha=30.0).fit(standard[:200], 2.0 * y[:200] - 1)
    np.testing.assert_allclose(fit.weights, model.coef_.T, atol=1e-10)
    np.testing.assert_allclose(fit.scores(x[200:]), model.predict(standard[200:]), atol=1e-9)


@pytest.mark.parametrize("n_features", [20, 500])
def test_float32_features_give_the_same_scores(n_features):
    x, y = case(n_features)
    exact = fit_ridge(x[:200], y[:200], x[200:], y[200:], penalties=(30.0,)).scores(x[200:])
    x = x.astype(np.float32)
    rough = fit_ridge(x[:200], y[:200], x[200:], y[200:], penalties=(30.0,)).scores(x[200:])
    np.testing.assert_allclose(rough, exact, atol=1e-4)


def test_penalty_is_the_one_of_highest_validation_auroc():
    x, y = case(150)
    penalties = (1e-3, 10.0, 1e3, 1e5)
    fit = fit_ridge(x[:200], y[:200], x[200:], y[200:], penalties=penalties)
    standard = (x - x[:200].mean(0)) / x[:200].std(0)
    means = []
    for penalty in penalties:
        predicted = SklearnRidge(alpha=penalty).fit(standard[:200], 2.0 * y[:200] - 1).predict(standard[200:])
        means.append(np.mean([roc_auc_score(y[200:, k], predicted[:, k]) for k in range(3)]))
    np.testing.assert_allclose(fit.aurocs, means, atol=1e-6)
    assert fit.penalty == penalties[int(np.argmax(means))]


def test_class_without_positives_scores_constant_and_says_so():
    x, y = case(20)
    y[:200, 1] = False
    fit = fit_ridge(x[:200], y[:200], x[200:], y[200:])
    assert fit.fitted.tolist() == [True, False, True]
    assert np.ptp(fit.scores(x[200:])[:, 1]) == 0


@pytest.mark.parametrize("n_features", [20, 500])
def test_path_holds_every_penalty_and_chooses_on_whatever_validation_it_is_given(n_features):
    x, y = case(n_features)
    penalties = (10.0, 1e3)
    path = fit_ridge_path(x[:200], y[:200], penalties=penalties)
    scores = path.scores(x[200:])
    for i, penalty in enumerate(penalties):
        alone = fit_ridge(x[:200], y[:200], x[200:], y[200:], penalties=(penalty,))
        np.testing.assert_allclose(scores[i], alone.scores(x[200:]), atol=1e-9)
    cut = np.arange(0, 100, 3)
    chosen = fit_ridge(x[:200], y[:200], x[200:][cut], y[200:][cut], penalties=penalties)
    assert penalties[path.best(scores[:, cut], y[200:][cut])] == chosen.penalty


@pytest.mark.parametrize("n_features", [20, 500])
def test_sets_of_classes_of_the_same_records_are_fitted_together_as_each_alone(n_features):
    x, y = case(n_features)
    together = fit_ridge_paths(x[:200], [y[:200, :1], y[:200, 1:]], penalties=(3.0, 300.0))
    for path, classes in zip(together, (slice(0, 1), slice(1, 3)), strict=True):
        standard = (x - x[:200].mean(0)) / x[:200].std(0)
        for scores, penalty in zip(path.scores(x[200:]), (3.0, 300.0), strict=True):
            model = SklearnRidge(alpha=penalty).fit(standard[:200], 2.0 * y[:200, classes] - 1)
            wanted = model.predict(standard[200:]).reshape(100, -1)
            np.testing.assert_allclose(scores, wanted, atol=1e-9)
