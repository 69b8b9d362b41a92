"""Who was trained on: the hashes in input.json, and what an evaluation of other stores makes of them."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.evaluation.report_words import of_training
from cgdmer_jax.evaluation.subject import prepare
from cgdmer_jax.recipes.pretrain import pretrain
from tests.data.small_stores import write_store
from tests.toy_runs import toy_config, toy_known

REPORTS = [f"report number {row}" for row in range(60)]
FOLDS = [row % 10 + 1 for row in range(60)]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Two collections of the same patient numbers: the first has every fold, the second trains one patient in three."""
    folder = tmp_path_factory.mktemp("stores")
    first = write_store(folder / "a", REPORTS, folds=FOLDS)
    folds = [(1, 9, 10)[row % 3] for row in range(60)]
    return first, write_store(folder / "b", REPORTS, name="ptbxl", folds=folds, first_value=9000)


@pytest.fixture(scope="module")
def run(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    with toy_known():
        assert pretrain(toy_config(*stores), folder) == 0
        yield folder


def test_a_page_says_of_this_very_store_whether_it_was_trained_on(run, stores, tmp_path):
    """Not of a collection of the same name: its records may be others."""
    namesake = write_store(tmp_path / "a", REPORTS, folds=FOLDS, first_value=700)
    own = prepare(run, stores[0], "test", None)
    contract = own.trained.contract
    assert of_training(contract, own.corpus, own.base) == "of folds 1-8 (trained on)"
    found = prepare(run, namesake, "test", None)
    told = of_training(contract, found.corpus, found.base)
    assert told == "of folds 1-8 (not trained on; another store of synthetic was)"
    assert found.base.domain == "in", "reports of that collection are known ways of writing"
    stranger = replace(found.base, domain="out")
    assert of_training(contract, found.corpus, stranger, (1, 2, 3)) == "of folds 1-3 (not trained on)"


def hashes(store: str, namespace: str) -> list[str]:
    """From the table itself: sha256 of "<namespace>:<id>" of every patient in folds 1 to 8."""
    table = pq.read_table(f"{store}/records.parquet").to_pylist()
    trained = {f"{namespace}:{line['patient_id']}" for line in table if line["fold"] <= 8}
    return sorted(hashlib.sha256(patient.encode()).hexdigest() for patient in trained)


def test_the_contract_holds_the_hash_of_every_training_patient_of_each_store_and_of_no_other(run, stores):
    parts = json.loads((run / "input.json").read_text())["trained_on"]
    assert [part["name"] for part in parts] == ["synthetic", "ptbxl"]
    assert [len(part["patient_sha256"]) for part in parts] == [48, 20]
    for part, store in zip(parts, stores, strict=True):
        assert part["patient_sha256"] == hashes(store, part["name"])


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_store_whose_scored_fold_holds_a_trained_patient_is_marked(run, tmp_path, split):
    scored = {"validation": 9, "test": 10}[split]
    moved = [scored if row == 0 else fold for row, fold in enumerate(FOLDS)]  # row 0: fold 1, trained
    assert prepare(run, write_store(tmp_path / "s", REPORTS, folds=moved), split, None).base.seen_in_training


def test_patients_of_the_own_scored_folds_were_not_seen(run, stores):
    for split in ("validation", "test"):
        assert not prepare(run, stores[0], split, None).base.seen_in_training


def test_a_trained_patient_in_a_fold_that_is_not_scored_marks_nothing(run, tmp_path):
    moved = [10 if row == 0 else fold for row, fold in enumerate(FOLDS)]
    assert not prepare(run, write_store(tmp_path / "s", REPORTS, folds=moved), "validation", None).base.seen_in_training


def test_the_same_number_in_another_collection_is_another_patient(run, tmp_path):
    """Trained on: patients of rows 0, 3, 6, ... of `ptbxl`, and all rows of `synthetic` that are scored here."""
    trained = [row for row in range(60) if FOLDS[row] <= 8 and row % 3]
    folds = [9 if row in trained else 1 for row in range(60)]
    theirs = write_store(tmp_path / "a", REPORTS, folds=folds, first_value=3000)
    others = write_store(tmp_path / "b", REPORTS, folds=folds, first_value=3000, name="ptbxl")
    assert prepare(run, theirs, "validation", None).base.seen_in_training
    assert not prepare(run, others, "validation", None).base.seen_in_training


@pytest.mark.parametrize(("split", "sizes"), [("validation", (42, 6, 6)), ("test", (48, 6, 6))])
def test_no_patient_that_is_scored_fitted_or_chose(run, stores, split, sizes):
    state = prepare(run, stores[0], split, None)
    (task,) = state.tasks
    patients = state.corpus.patient_id[state.lines]
    fit, choose, score = (set(patients[at]) for at in (task.fit, task.choose, task.score))
    assert (len(fit), len(choose), len(score)) == sizes
    assert not fit & choose and not (fit | choose) & score


def test_the_contract_holds_the_hash_of_every_training_recording(run, stores):
    for part, store in zip(json.loads((run / "input.json").read_text())["trained_on"], stores, strict=True):
        opened = open_store(store)
        rows = np.flatnonzero(opened.column("fold") <= 8)
        expected = {hashlib.sha256(signal.tobytes()).hexdigest()[:16] for signal in opened.read(rows)}
        assert part["signal_sha256"] == sorted(expected)


def test_trained_recordings_are_found_under_whatever_patient_and_counted(run, tmp_path):
    """The recordings of the first store, 48 of them trained on, as patients of the second (20 of them trained)."""
    copied = write_store(tmp_path / "s", REPORTS, name="ptbxl", folds=[10] * 60)
    overlap = prepare(run, copied, "test", None).overlap
    assert (overlap.n_scored, overlap.of_trained_patients, overlap.of_trained_recordings) == (60, 20, 48)
    assert str(overlap) == "of 60 records 20 are of trained patients and 48 are recordings trained on"
    folds = [10 if row % 3 else 1 for row in range(60)]
    others = write_store(tmp_path / "t", REPORTS, name="ptbxl", folds=folds, first_value=5000)
    assert not prepare(run, others, "test", None).base.seen_in_training
    same = write_store(tmp_path / "u", REPORTS, name="ptbxl", folds=folds)
    assert prepare(run, same, "test", None).base.seen_in_training, "other patients, but recordings of the first store"
