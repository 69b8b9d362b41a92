"""Recalibrated probabilities agree with how often the class occurs; the order of records stays."""

import numpy as np
import pytest

from cgdmer_jax.metrics.calibration import fit_calibration


def drawn(n: int, slope: float, offset: float, seed: int):
    """Probabilities, and labels that occur with logistic(slope logit(p) + offset)."""
    draw = np.random.default_rng(seed)
    logit = draw.normal(-1, 1.5, (n, 1))
    true = 1 / (1 + np.exp(-(slope * logit + offset)))
    return 1 / (1 + np.exp(-logit)), draw.random((n, 1)) < true, true


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, 0.5), (2.0, -1.0)])
def test_the_law_that_labels_were_drawn_by_is_found_again(slope, offset):
    p, y, true = drawn(40_000, slope, offset, seed=0)
    found = fit_calibration(p, y)
    assert found.slope[0] == pytest.approx(slope, abs=0.05) and found.offset[0] == pytest.approx(offset, abs=0.05)
    np.testing.assert_allclose(found.probabilities(p), true, atol=0.02)


def test_the_mean_probability_is_the_mean_of_platts_targets():
    """The score equation of a logistic regression with a free offset."""
    p, y, _ = drawn(500, 0.3, 1.0, seed=1)
    n = y.sum()
    targets = np.where(y, (n + 1) / (n + 2), 1 / (len(y) - n + 2))
    assert fit_calibration(p, y).probabilities(p).mean() == pytest.approx(targets.mean(), abs=1e-4)


def test_ten_separated_positives_do_not_make_certain():
    p, y = np.linspace(0.05, 0.6, 100)[:, None], np.arange(100)[:, None] >= 90
    found = fit_calibration(p, y).probabilities(p)
    assert found[-10:].mean() > 0.5 and found[:90].mean() < 0.1
    assert found.max() < 0.999 and (np.diff(found[:, 0]) > 0).all()


def test_probabilities_that_rank_the_wrong_way_round_are_not_turned_round():
    p, y, _ = drawn(2_000, 1.0, 0.0, seed=2)
    assert np.isnan(fit_calibration(1 - p, y).slope).all()


def test_a_class_with_nine_positives_or_nine_negatives_is_not_calibrated():
    p = np.linspace(0.01, 0.99, 100)[:, None].repeat(3, axis=1)
    y = np.arange(100)[:, None] >= [91, 9, 90]
    assert np.isnan(fit_calibration(p, y).slope).tolist() == [True, True, False]


def test_a_record_that_is_there_in_several_draws_counts_once():
    p = np.linspace(0.01, 0.99, 100)[:, None].repeat(2, axis=1)
    y = np.arange(100)[:, None] >= [91, 60]
    one, pooled = fit_calibration(p, y), fit_calibration(np.tile(p, (5, 1)), np.tile(y, (5, 1)), n_draws=5)
    assert np.isnan(pooled.slope).tolist() == [True, False]
    np.testing.assert_allclose([pooled.slope[1], pooled.offset[1]], [one.slope[1], one.offset[1]], rtol=1e-3)


def test_probabilities_of_exactly_0_and_1_stay_finite():
    p, y = np.array([[0.0], [1.0]] * 30), np.array([[False], [True], [True], [False], [False], [True]] * 10)
    assert np.isfinite(fit_calibration(p, y).probabilities(p)).all()
