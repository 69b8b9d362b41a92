"""Retrieval both ways on cases small enough to rank by hand, and chance against its simulation."""

import numpy as np
import pytest
from scipy.stats import rankdata

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import retrieval

TEXT = np.eye(3)  # three distinct reports
OWN = np.array([0, 0, 1, 2])  # two recordings share the first
ECG = np.array([[1.0, 0.5, 0.0], [0.1, 0.9, 0.5], [0.2, 0.3, 0.1], [0.6, 0.5, 0.4]])


def test_recording_finds_its_report_at_the_rank_counted_by_hand():
    assert retrieval.ecg_to_text_ranks(ECG, TEXT, OWN).tolist() == [1, 3, 1, 3]


def test_report_is_found_by_the_best_of_its_recordings():
    # Report 0: recordings score 1, .1 | .2, .6 -> 1. Report 1: own .3 behind .5, .9, .5 -> 4. Report 2: .4 behind .5.
    assert retrieval.text_to_ecg_ranks(ECG, TEXT, OWN).tolist() == [1, 4, 2]


def test_recordings_of_the_same_report_are_never_each_other_s_misses():
    ecg = np.array([[1.0, 0, 0], [0.9, 0, 0], [0.8, 0, 0], [0, 0, 1]])
    assert retrieval.text_to_ecg_ranks(ecg, TEXT, np.array([2, 0, 0, 1]))[0] == 2  # behind one stranger, not two


def test_collapsed_encoder_stands_in_the_middle():
    same = np.ones((4, 3))
    assert retrieval.ecg_to_text_ranks(same, np.ones((3, 3)), OWN).tolist() == [2, 2, 2, 2]
    assert retrieval.text_to_ecg_ranks(same, np.ones((3, 3)), OWN).tolist() == [2, 2.5, 2.5]


def test_the_rank_of_a_single_own_item_is_scipys_mean_rank_of_ties():
    rng = np.random.default_rng(0)
    similarity = rng.integers(0, 5, (30, 12)) / 4  # many ties
    own = np.arange(12) == rng.integers(0, 12, 30)[:, None]
    np.testing.assert_array_equal(retrieval.ranks_of_own(similarity, own), rankdata(-similarity, axis=1)[own])


def test_blocks_of_queries_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    ecg, text, own = rng.normal(size=(50, 8)), rng.normal(size=(20, 8)), rng.integers(0, 20, 50)
    whole = retrieval.ecg_to_text_ranks(ecg, text, own), retrieval.text_to_ecg_ranks(ecg, text, own)
    monkeypatch.setattr(retrieval, "BLOCK", 7)
    parts = retrieval.ecg_to_text_ranks(ecg, text, own), retrieval.text_to_ecg_ranks(ecg, text, own)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)


def test_recall_counts_a_report_once_and_leaves_out_recordings_without_text():
    text_id = np.array([5, 5, 7, 9, -1])
    ecg, text = np.concatenate([ECG, [[9, 9, 9]]]), np.concatenate([TEXT[OWN], [[9, 9, 9]]])
    assert retrieval.recall_at(ecg, text, text_id, k=1) == 0.5
    assert retrieval.recall_at(ecg, text, text_id, k=2) == 0.5
    assert retrieval.recall_at(ecg, text, text_id, k=3) == 1.0


@pytest.mark.parametrize("n_own", [[1, 1, 1], [1, 3, 8]])
def test_chance_equals_its_simulation(n_own):
    rng = np.random.default_rng(0)
    first = [[rng.permutation(12)[:m].min() + 1 for _ in range(4000)] for m in n_own]
    within = retrieval.chance_within(12, np.array(n_own))
    assert len(within) == 12 and within[-1] == pytest.approx(1)
    for k in (1, 2, 5, 9):
        assert within[k - 1] == pytest.approx(np.mean(np.array(first) <= k), abs=0.02)


def test_embeddings_that_are_not_finite_are_refused_instead_of_ranked_first():
    broken = np.where(ECG > 0.8, np.nan, ECG)
    with pytest.raises(CgdmerError, match="not finite"):
        retrieval.ecg_to_text_ranks(broken, TEXT, OWN)
    with pytest.raises(CgdmerError, match="not finite"):
        retrieval.recall_at(ECG, np.full_like(ECG, np.inf), OWN, k=1)
