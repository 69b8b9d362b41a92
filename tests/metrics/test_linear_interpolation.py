"""The conditional mean against a ridge regression fitted for one set of visible samples, and against arithmetic."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from cgdmer_jax.metrics import linear_interpolation as linear
from cgdmer_jax.metrics import reconstruction

P, PATCHES = 3, 5


def recordings(n, seed):
    """Four random walks mixed into twelve leads with noise, each about a mean of its own; Einthoven holds."""
    rng = np.random.default_rng(seed)
    sources = np.cumsum(rng.normal(size=(n, 4, P * PATCHES)), axis=2)
    mixing = np.random.default_rng(0).normal(size=(12, 4))
    signal = np.einsum("ls,nst->nlt", mixing, sources) + 0.1 * rng.normal(size=(n, 12, P * PATCHES))
    signal += np.linspace(-1, 1, 12)[:, None]
    one, two = signal[:, 0], signal[:, 1]
    signal[:, 2:6] = np.stack([two - one, -(one + two) / 2, one - two / 2, two - one / 2], axis=1)
    return signal.astype(np.float32)


@pytest.fixture(scope="module")
def visible():
    return np.random.default_rng(3).random((12, PATCHES)) < 0.4


@pytest.mark.parametrize("reach", [0, 1])
def test_guess_equals_the_ridge_regression_of_that_very_set(visible, reach, monkeypatch):
    """scikit-learn's ridge, fitted on the windows of the same recordings for one column's visible samples."""
    monkeypatch.setattr(linear, "RIDGE_MV2", np.float32(0.5))  # strong enough to be seen
    train, test = recordings(80, 1), recordings(2, 2)
    fitted = linear.fit_interpolation(train, patch_samples=P, reach=reach)
    made = linear.interpolate(fitted, test, np.stack([visible] * 2), n_threads=1)
    column = 2
    mean = train.mean((0, 2))[:, None]
    window = slice((column - reach) * P, (column + reach + 1) * P)
    seen = np.repeat(visible[:, column - reach : column + reach + 1], P, axis=1)
    # Every window of the training recordings, the centre's hidden samples as targets.
    starts = range(0, (PATCHES - 2 * reach) * P, P)
    windows = np.concatenate([(train - mean)[:, :, s : s + (2 * reach + 1) * P] for s in starts])
    centre = slice(reach * P, (reach + 1) * P)
    hidden = ~np.repeat(visible[:, column : column + 1], P, axis=1)
    model = Ridge(alpha=0.5 * len(windows), fit_intercept=False)
    model.fit(windows[:, seen].astype(np.float64), windows[:, :, centre][:, hidden])
    expected = model.predict((test - mean)[:, :, window][:, seen]) + np.broadcast_to(mean, hidden.shape)[hidden]
    found = made[:, :, column * P : (column + 1) * P][:, hidden]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_visible_samples_stay_and_derivable_ones_follow_einthoven(visible):
    train, test = recordings(200, 1), recordings(3, 2)
    fitted = linear.fit_interpolation(train, patch_samples=1, reach=0)
    seen = np.stack([visible] * 3)
    made = linear.interpolate(fitted, test, np.repeat(seen, P, axis=2), n_threads=2)
    at = np.repeat(seen, P, axis=2)
    np.testing.assert_allclose(made[at], test[at], atol=1e-5)
    derivable = np.repeat(reconstruction.split_hidden(~seen, seen)["derivable"], P, axis=2)
    assert derivable.any() and abs(made - test)[derivable].max() < 0.02 < abs(made - test)[~at].max()


def test_where_nothing_is_visible_the_guess_is_the_lead_s_training_mean():
    train = recordings(50, 1)
    fitted = linear.fit_interpolation(train, patch_samples=P, reach=1)
    nothing = np.zeros((1, 12, PATCHES), bool)
    made = linear.interpolate(fitted, train[:1], nothing, n_threads=1)
    np.testing.assert_allclose(made[0], np.broadcast_to(train.mean((0, 2))[:, None], made[0].shape), atol=1e-6)


def test_neighbouring_patches_help_and_hidden_samples_do_not_matter(visible):
    train, test = recordings(300, 1), recordings(40, 2)
    seen = np.stack([visible] * 40)
    hidden = np.repeat(~seen, P, axis=2)
    errors = []
    for reach in (0, 1):
        fitted = linear.fit_interpolation(train, patch_samples=P, reach=reach)
        made = linear.interpolate(fitted, test, seen, n_threads=1)
        errors.append(np.sqrt(np.mean((made - test)[hidden] ** 2)))
        changed = np.where(hidden, np.float32(1e4), test)
        np.testing.assert_array_equal(linear.interpolate(fitted, changed, seen, n_threads=1)[hidden], made[hidden])
    assert errors[1] < errors[0]
