"""Hidden patches that follow from arithmetic, and errors from sums against NumPy's own."""

import numpy as np
import pytest

from cgdmer_jax.metrics import reconstruction

RECORDS, LEADS, PATCHES, SAMPLES = 5, 12, 4, 6


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(RECORDS, LEADS, PATCHES * SAMPLES))
    made = 0.7 * true + 0.3 * rng.normal(size=true.shape) + 0.1
    return true, made, rng.random((RECORDS, LEADS, PATCHES)) < 0.5


def test_limb_lead_is_derivable_only_while_two_limb_leads_are_visible():
    visible = np.ones((1, 12, 3), bool)
    visible[0, :6, 0] = [True, True, False, False, False, False]
    visible[0, :6, 1] = [True, False, False, False, False, False]
    visible[0, 7:, 1] = False
    hidden = ~visible
    kinds = reconstruction.split_hidden(hidden, visible)
    assert kinds["derivable"][0, :, 0].tolist() == [False, False, True, True, True, True] + [False] * 6
    assert not kinds["derivable"][0, :, 1].any() and kinds["independent"][0, :, 1].sum() == 10
    np.testing.assert_array_equal(kinds["independent"] | kinds["derivable"], kinds["all"])
    assert not (kinds["independent"] & kinds["derivable"]).any()


def test_derivable_patches_really_are_arithmetic_in_the_visible_ones():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 40))
    limb = np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2])
    for _ in range(20):
        seen = np.sort(rng.permutation(6)[:2])
        weights = np.linalg.lstsq(limb[seen].T, limb.T, rcond=None)[0]
        np.testing.assert_allclose(weights.T @ limb[seen], limb, atol=1e-9)


def test_errors_equal_numpy_s_over_the_pooled_samples(case):
    true, made, chosen = case
    sums = reconstruction.sums_of_records(true, made, chosen)
    at = np.repeat(chosen, SAMPLES, axis=2)
    assert reconstruction.rmse(sums.sum(0)) == pytest.approx(np.sqrt(np.mean((made - true)[at] ** 2)))
    assert reconstruction.pearson(sums.sum(0)) == pytest.approx(np.corrcoef(true[at], made[at])[0, 1])
    each = [np.sqrt(np.mean((made[i] - true[i])[at[i]] ** 2)) for i in range(RECORDS)]
    np.testing.assert_allclose(reconstruction.rmse(sums), each)


def test_weighted_sums_equal_repeated_records(case):
    true, made, chosen = case
    weights = np.array([2, 0, 1, 3, 0])
    again = np.repeat(np.arange(RECORDS), weights)
    sums = reconstruction.sums_of_records(true, made, chosen)
    repeated = reconstruction.sums_of_records(true[again], made[again], chosen[again]).sum(0)
    np.testing.assert_allclose(weights @ sums, repeated)


def test_without_samples_nothing_is_defined(case):
    true, made, chosen = case
    sums = reconstruction.sums_of_records(true, made, np.zeros_like(chosen)).sum(0)
    assert np.isnan(reconstruction.rmse(sums)) and np.isnan(reconstruction.pearson(sums))
    flat = reconstruction.sums_of_records(true, np.zeros_like(made), chosen).sum(0)
    assert np.isnan(reconstruction.pearson(flat)) and np.isfinite(reconstruction.rmse(flat))


def test_nothing_of_hidden_samples_is_left_and_their_filling_keeps_mean_and_deviation():
    rng = np.random.default_rng(0)
    signal = rng.normal(300, 900, size=(2, 12, 44)).astype(np.int16)  # four patches of 11 samples
    visible = rng.random((2, 12, 4)) < 0.5
    visible[:, 5] = False
    hidden = ~visible
    hidden[:, 7] = False  # a lead that was not recorded is neither
    visible[:, 7] = False
    signal[:, 7] = 0
    gone = np.repeat(hidden, 11, axis=2)
    made = reconstruction.without_hidden(signal, visible, hidden)
    np.testing.assert_array_equal(made[~gone], signal[~gone])
    other = np.where(gone, rng.normal(0, 5000, signal.shape).astype(np.int16), signal)
    np.testing.assert_array_equal(reconstruction.without_hidden(other, visible, hidden), made)
    for record in range(2):
        for lead in (0, 5):
            seen = np.repeat(visible[record], 11, axis=1)
            known = signal[record, lead, seen[lead]] if seen[lead].any() else signal[record][seen]
            filled = made[record, lead, gone[record, lead]]
            pairs = filled[: len(filled) // 2 * 2]
            assert pairs.mean() == pytest.approx(known.mean(), abs=1)
            assert pairs.std() == pytest.approx(known.std(), abs=1)
