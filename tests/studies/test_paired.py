"""Paired differences over patients and seeds, by hand with scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.metrics.bootstrap import interval, patient_weights, seed_of_resample
from cgdmer_jax.metrics.score_key import ScoreKey
from cgdmer_jax.studies.paired import load_samples, macro_samples, paired_interval, save_samples

N, N_RESAMPLES = 160, 60
RECORDS, PATIENTS = np.arange(N), np.arange(N) // 2
WEIGHTS = patient_weights(PATIENTS, N_RESAMPLES, seed=0)


@pytest.fixture(scope="module")
def labels():
    made = np.random.default_rng(0).random((N, 3)) < np.array([0.5, 0.3, 0.02])
    assert 0 < made[:, 2].sum() < 10  # in no macro_ge10
    return made


def scores(labels, skill, seed):
    return np.random.default_rng([7, seed]).random(labels.shape) + skill * labels


def samples(one, labels, records=RECORDS):
    return macro_samples(one, labels, records, PATIENTS, N_RESAMPLES)


def side(labels, skill, seeds):
    return {seed: samples(scores(labels, skill, seed), labels) for seed in seeds}


def by_hand(one, labels, weights, classes=(0, 1)):
    return np.mean([roc_auc_score(labels[:, k], one[:, k], sample_weight=weights) for k in classes])


def test_samples_of_a_run_are_its_weighted_macros(labels):
    one = scores(labels, 0.4, 0)
    assert samples(one, labels).values == pytest.approx([by_hand(one, labels, w) for w in WEIGHTS], abs=1e-6)
    assert np.isnan(samples(one, labels & False).values).all()


def test_samples_of_several_draws_are_the_mean_of_their_macros(labels):
    one, other = scores(labels, 0.4, 0), scores(labels, 0.2, 1)
    expected = (samples(one, labels).values + samples(other, labels).values) / 2
    assert samples(np.stack([one, other]), labels).values == pytest.approx(expected, abs=1e-6)


def test_the_interval_is_that_of_the_weighted_records_of_the_drawn_seed(labels):
    seeds = (0, 1, 2)
    found = paired_interval(side(labels, 0.6, seeds), side(labels, 0.3, seeds))
    differences = [
        by_hand(scores(labels, 0.6, s), labels, w) - by_hand(scores(labels, 0.3, s), labels, w)
        for s, w in zip(seed_of_resample(3, N_RESAMPLES, 0), WEIGHTS, strict=True)
    ]
    assert found == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=1e-6)
    assert found.low > 0


def test_only_seeds_that_both_have_are_compared(labels):
    row, reference = side(labels, 0.6, (1,)), side(labels, 0.3, (0, 1, 2))
    assert paired_interval(row, reference) == paired_interval(row, {1: reference[1]})
    assert paired_interval(row, {0: reference[0]}) is None


def test_a_row_less_itself_is_zero_and_pairing_makes_a_close_row_s_interval_narrow(labels):
    row = side(labels, 0.6, (0, 1))
    assert paired_interval(row, row) == (0, 0)
    close = {s: scores(labels, 0.6, s) + 0.02 * np.random.default_rng(s).random(labels.shape) for s in row}
    found = paired_interval({s: samples(one, labels) for s, one in close.items()}, row)
    alone = interval(row[0].values)
    assert found.high - found.low < 0.03 < alone.high - alone.low


def test_runs_with_other_records_or_classes_are_no_pairs(labels):
    row, reference = side(labels, 0.6, (0,)), side(labels, 0.3, (0,))
    one = scores(labels, 0.6, 0)
    assert paired_interval({0: samples(one, labels, RECORDS + 1)}, reference) is None
    one[:, 1] = 0.25  # not learnt
    assert paired_interval({0: samples(one, labels)}, reference) is None
    assert paired_interval(row, reference) is not None


def test_saved_samples_come_back(labels, tmp_path):
    own, other = (ScoreKey(task, "probe", "cgdmer", "main") for task in ("findings", "form"))
    written = {own: side(labels, 0.6, (0,))[0], other: side(labels, 0.2, (1,))[1]}
    save_samples(tmp_path / "a.npz", written)
    read = load_samples(tmp_path / "a.npz")
    assert read.keys() == written.keys()
    for name, one in written.items():
        np.testing.assert_array_equal(read[name].values, one.values)
        assert read[name].basis == one.basis
