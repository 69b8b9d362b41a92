"""One or several stores behind one surface, on real small stores whose every value is known."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.store.store import Store, open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.small_stores import FIRST_VALUE, N_SAMPLES, TASK, rewrite_info, stored_uv, write_store

FIRST = ["sinus rhythm", None, "atrial fibrillation", "sinus rhythm", "pacemaker"]
SECOND = ["pacemaker", "left axis deviation", "sinus rhythm"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("stores")
    first = write_store(folder / "a", FIRST, name="ptbxl", rejected=(2,))
    return first, write_store(folder / "b", SECOND, first_value=2 * FIRST_VALUE)


def test_one_store_keeps_its_own_text_ids_and_fingerprint(paths):
    corpus = open_corpus(paths[:1])
    assert corpus.texts == corpus.stores[0].texts
    np.testing.assert_array_equal(corpus.text_id, corpus.stores[0].column("text_id"))
    assert [corpus.texts[number] for number in corpus.text_id[[0, 2, 3]]] == [FIRST[0], FIRST[3], FIRST[4]]
    assert corpus.fingerprint == corpus.stores[0].fingerprint


def test_rejected_row_has_no_line_but_keeps_its_place_among_the_rows(paths):
    corpus = open_corpus(paths)
    assert corpus.n_records == 4 + 3
    assert corpus.rows(np.arange(7)).tolist() == [0, 1, 3, 4, 5, 6, 7]
    assert corpus.column("row").tolist() == [0, 1, 3, 4, 5, 6, 7]


def test_records_are_read_from_the_store_they_belong_to_in_any_order(paths):
    corpus = open_corpus(paths)
    lines = np.array([5, 0, 3, 5, 6, 2, 4])
    signal = corpus.read(lines)
    assert signal.dtype == np.int16 and signal.shape == (7, 12, N_SAMPLES)
    assert signal[:, 0, 0].tolist() == [2001, 1000, 1004, 2001, 2002, 1003, 2000]
    np.testing.assert_array_equal(signal.any(-1), corpus.lead_mask[lines])
    np.testing.assert_array_equal(signal[0], open_corpus(paths[1:]).read(np.array([1]))[0])


SIZES, FIRST_VALUES, REJECTED = (7, 1, 5), (1000, 2000, 3000), ((0, 4), (), (4,))  # of three stores


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> list[Store]:
    """Stores of up to three shards of three rows; rows are rejected first, within and last."""
    folder = tmp_path_factory.mktemp("three")
    return [
        open_store(write_store(folder / f"{n}", ["x"] * n, first_value=first, rejected=rejected, rows_per_shard=3))
        for n, first, rejected in zip(SIZES, FIRST_VALUES, REJECTED, strict=True)
    ]


@settings(max_examples=60)
@given(
    stores=st.lists(st.integers(0, 2), min_size=1, unique=True),
    places=st.lists(st.integers(0, 99), max_size=20),
    unique=st.booleans(),
)
def test_any_gather_across_stores_equals_the_recordings_one_by_one(three, stores, places, unique):
    """`accepted` lists (store, row) of every line and `first_row` where a store's rows begin: both by hand."""
    accepted = [(store, row) for store in stores for row in range(SIZES[store]) if row not in REJECTED[store]]
    first_row = {store: sum(SIZES[before] for before in stores[:n]) for n, store in enumerate(stores)}
    lines = [place % len(accepted) for place in places]
    lines = list(dict.fromkeys(lines)) if unique else lines
    corpus = Corpus([three[store] for store in stores])
    assert corpus.n_records == len(accepted)
    signal = corpus.read(np.array(lines, np.int64))
    assert signal.dtype == np.int16 and signal.shape == (len(lines), 12, N_SAMPLES)
    for read, line in zip(signal, lines, strict=True):
        store, row = accepted[line]
        np.testing.assert_array_equal(read, stored_uv(row, FIRST_VALUES[store]))
    expected_rows = [first_row[store] + row for store, row in (accepted[line] for line in lines)]
    assert corpus.rows(np.array(lines, np.int64)).tolist() == expected_rows


def test_equal_texts_of_two_stores_share_one_id_whatever_the_order_of_the_stores(paths):
    forth, back = open_corpus(paths), open_corpus(paths[::-1])
    distinct = {"sinus rhythm", "pacemaker", "left axis deviation"}
    expected = sorted(distinct, key=lambda text: hashlib.sha256(text.encode()).hexdigest())
    assert forth.texts == back.texts == tuple(expected)
    np.testing.assert_array_equal(forth.text_id, np.concatenate([back.text_id[3:], back.text_id[:3]]))
    reports = [None if number < 0 else forth.texts[number] for number in forth.text_id]
    assert reports == [FIRST[row] for row in (0, 1, 3, 4)] + SECOND


def test_reports_of_lines_repeat_and_skip_records_without_text(paths):
    assert open_corpus(paths).reports(np.array([0, 1, 2, 4])) == ["sinus rhythm", "sinus rhythm", "pacemaker"]


def test_patients_of_different_collections_never_meet(paths):
    corpus = open_corpus(paths)
    first = [f"ptbxl:p{row}" for row in (0, 1, 3, 4)]
    assert corpus.patient_id.tolist() == [*first, *(f"synthetic:p{row}" for row in range(3))]
    np.testing.assert_array_equal(corpus.column("patient_id"), corpus.patient_id)


def test_lines_of_a_split_are_those_of_its_folds(tmp_path):
    corpus = open_corpus([write_store(tmp_path / "a", ["x"] * 6, folds=[1, 9, 10, 8, 9, 3])])
    assert corpus.lines("train").tolist() == [0, 3, 5]
    assert corpus.lines("validation").tolist() == [1, 4]
    assert corpus.lines("test").tolist() == [2]
    with pytest.raises(CgdmerError, match="validation"):
        corpus.lines("valid")


def test_labels_and_other_columns_follow_the_lines_of_all_stores(paths):
    corpus = open_corpus(paths)
    assert [label.code for label in corpus.classes(TASK)] == ["A", "B"]
    assert corpus.labels(TASK)[:, 0].tolist() == [True, False, False, True, True, False, True]
    assert corpus.column("record_id").tolist() == ["r0", "r1", "r3", "r4", "r0", "r1", "r2"]
    assert corpus.length.tolist() == [120, 119, 120, 119, 120, 119, 118]


def test_task_with_other_classes_in_another_store_is_refused(paths, tmp_path):
    other = write_store(tmp_path / "c", ["x", "y"], codes=("A", "C"))
    with pytest.raises(CgdmerError, match=f'"{TASK}" has other classes'):
        open_corpus([paths[0], other]).labels(TASK)


@pytest.mark.parametrize(
    ("field", "ours", "theirs"),
    [
        ("rate", 100.0, 50.0),
        ("seconds", 1.2, 1.5),
        ("filter", "none", "bandpass_0.5_40"),
        ("cleaning_version", 1, 7),
    ],
)
def test_stores_that_disagree_are_refused_with_both_names_and_values(paths, tmp_path, field, ours, theirs):
    if field in ("rate", "seconds"):
        changed = {"rate": 50.0, "n_samples": 60} if field == "rate" else {"n_samples": 150}
        other = write_store(tmp_path / "odd", ["x"], **changed)
    else:
        other = rewrite_info(write_store(tmp_path / "odd", ["x"]), **{field: theirs})
    with pytest.raises(CgdmerError, match=rf"differ in {field} \({ours} and {theirs}\)") as caught:
        open_corpus([paths[0], other])
    assert paths[0] in str(caught.value) and other in str(caught.value)


def test_store_named_twice_and_no_store_are_refused(paths):
    with pytest.raises(CgdmerError, match="twice"):
        open_corpus([paths[0], paths[1], paths[0]])
    with pytest.raises(CgdmerError, match="at least one"):
        open_corpus([])


def test_a_record_is_marked_when_any_of_its_leads_is(paths, monkeypatch):
    corpus = open_corpus(paths)
    flagged = np.zeros((7, 12), bool)
    flagged[2, 5] = flagged[5, 11] = True
    monkeypatch.setattr(
        corpus, "column", {"lead_flagged": flagged, "arms_swapped": flagged[:, 5], "lead_mask": ~flagged}.get
    )
    assert corpus.marked(np.array([6, 5, 2]), "lead_flagged").tolist() == [False, True, True]
    assert corpus.marked(np.array([6, 5, 2]), "arms_swapped").tolist() == [False, False, True]
    assert corpus.marked(np.array([6, 5, 2]), "lead_absent").tolist() == [False, True, True]


def test_a_column_that_marks_nothing_is_refused(paths):
    corpus = open_corpus(paths)
    with pytest.raises(CgdmerError, match="lead_mask, which is no mark; name some of lead_flagged"):
        corpus.marked(np.arange(7), "lead_mask")  # true where a lead is good
    with pytest.raises(CgdmerError, match='Did you mean "lead_flagged"'):
        corpus.marked(np.arange(7), "lead_flaged")
