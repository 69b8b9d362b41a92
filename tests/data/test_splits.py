"""Folds: by patient, the same everywhere, never scored by what chose or fitted."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from cgdmer_jax.data.splits import (
    PROBE_FOLDS,
    SPLITS,
    check_patients_stay_in_one_fold,
    fold_of_patient,
    in_folds,
    probe_folds,
    split_folds,
)
from cgdmer_jax.errors import CgdmerError


def test_fold_of_a_patient_is_the_remainder_of_the_sha256_of_the_id():
    for patient in ("17", "patient-ü", ""):
        first_16_digits = hashlib.sha256(patient.encode("utf-8")).hexdigest()[:16]
        assert fold_of_patient(patient) == int(first_16_digits, 16) % 10 + 1


def test_folds_of_many_patients_are_about_equal():
    counts = Counter(fold_of_patient(str(number)) for number in range(10_000))
    assert set(counts) == set(range(1, 11))
    assert all(abs(count - 1000) < 4 * np.sqrt(1000) for count in counts.values())


def test_the_three_splits_share_no_fold_and_leave_none_out():
    assert sorted(fold for folds in SPLITS.values() for fold in folds) == list(range(1, 11))


def test_a_probe_never_scores_a_fold_that_fitted_or_chose():
    for folds in PROBE_FOLDS.values():
        assert not set(folds.fit) & set(folds.choose) and not set(folds.fit + folds.choose) & set(folds.score)


def test_scoring_validation_leaves_the_test_fold_untouched():
    assert 10 not in sum(probe_folds("validation"), ())
    assert probe_folds("test").score == split_folds("test") == (10,)


def test_in_folds_marks_the_records_of_those_folds():
    assert in_folds(np.array([1, 9, 10, 9], np.int8), (9,)).tolist() == [False, True, False, True]


def test_an_unknown_split_is_told_with_the_nearest_name():
    with pytest.raises(CgdmerError, match=r'no split "valid".*"validation"'):
        split_folds("valid")
    with pytest.raises(CgdmerError, match=r'cannot score the split "train"'):
        probe_folds("train")


def test_a_patient_in_two_folds_is_refused():
    check_patients_stay_in_one_fold(["a", "b", "a"], [1, 2, 1], "x")
    with pytest.raises(CgdmerError, match="source x has a patient in folds 1 and 2"):
        check_patients_stay_in_one_fold(["a", "b", "a"], [1, 2, 2], "x")


def test_a_fold_outside_1_to_10_is_refused():
    with pytest.raises(CgdmerError, match="fold 0"):
        check_patients_stay_in_one_fold(["a"], [0], "x")
