"""Iterative stratification: whole patients, every class in proportion, a draw a seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer_jax.metrics.stratify import stratified_draw


@st.composite
def one_class_each(draw):
    """(labels, patients): each patient has 1..4 records, all of the same class."""
    n_patients = draw(st.integers(1, 60))
    klass = np.array(draw(st.lists(st.integers(0, 4), min_size=n_patients, max_size=n_patients)))
    records = np.array(draw(st.lists(st.integers(1, 4), min_size=n_patients, max_size=n_patients)))
    return np.eye(5, dtype=bool)[np.repeat(klass, records)], np.repeat(np.arange(n_patients), records)


@settings(max_examples=200)
@given(one_class_each(), st.floats(0, 1), st.integers(0, 5))
def test_each_class_is_drawn_in_proportion_within_half_of_its_largest_patient(case, fraction, seed):
    labels, patients = case
    drawn = stratified_draw(labels, patients, fraction, seed)
    for k in range(labels.shape[1]):
        of_class = labels[:, k]
        largest = np.bincount(patients[of_class]).max() if of_class.any() else 0
        assert abs(drawn[of_class].sum() - fraction * of_class.sum()) <= 0.5 * largest + 1e-9


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_no_patient_is_split(seed, fraction):
    rng = np.random.default_rng(seed)
    labels, patients = rng.random((80, 4)) < 0.3, rng.integers(0, 30, 80).astype(str)
    drawn = stratified_draw(labels, patients, fraction, 0)
    for patient in np.unique(patients):
        assert len(set(drawn[patients == patient])) == 1


@pytest.mark.parametrize("fraction", [0.1, 0.01])
def test_overlapping_classes_of_real_frequencies_stay_in_proportion_and_a_random_draw_does_not(fraction):
    rng = np.random.default_rng(0)
    rate = np.array([0.45, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01, 0.002])
    labels, patients = rng.random((6000, 8)) < rate, np.arange(6000) * 4 // 5

    def worst(drawn):
        return abs(drawn.sum(0) - fraction * labels.sum(0)).max()

    assert worst(labels[stratified_draw(labels, patients, fraction, 0)]) <= 1.5
    at_random = [worst(labels[rng.random(len(labels)) < fraction]) for _ in range(5)]
    assert min(at_random) > 2


def test_records_without_any_class_are_drawn_in_proportion_too():
    labels = np.zeros((200, 3), bool)
    labels[:20, 0] = True
    drawn = stratified_draw(labels, np.arange(200), 0.25, 0)
    assert drawn[:20].sum() == 5 and drawn.sum() == 50


def test_same_seed_same_draw_and_other_seeds_others():
    rng = np.random.default_rng(0)
    labels, patients = rng.random((500, 5)) < 0.2, np.arange(500) // 2
    first = stratified_draw(labels, patients, 0.1, 0)
    np.testing.assert_array_equal(first, stratified_draw(labels, patients, 0.1, 0))
    others = [stratified_draw(labels, patients, 0.1, seed) for seed in range(1, 5)]
    assert all((first & other).sum() < 0.4 * first.sum() for other in others)
