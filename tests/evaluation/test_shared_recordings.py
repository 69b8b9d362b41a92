"""Collections that hold the same recordings: a run that saw the one is told of when the other is scored."""

import pytest

from cgdmer_jax.contract import InputContract, TrainedOn, patient_sha256
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.shared_recordings import SHARED, renames
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.evaluation.leaks import find_overlap
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.small_stores import write_store


def trained_on(name: str, *patients: str) -> InputContract:
    """The contract of a run that saw these patients of one collection."""
    hashes = tuple(sorted(patient_sha256(f"{name}:{patient}") for patient in patients))
    return InputContract(
        rate=100.0,
        seconds=1.2,
        unit="uV int16",
        leads=LEADS,
        filter="none",
        scaling="record_std",
        cleaning_version="1",
        tokenizer_sha256="none",
        trained_on=(TrainedOn(name, "none", hashes, ()),),
    )


def overlap_of(contract, folder, name, *record_ids):
    store = write_store(folder, [None] * len(record_ids), name=name, record_ids=[*record_ids])
    corpus = open_corpus([store])
    return find_overlap(contract, corpus, corpus.lines("train"))


@pytest.mark.parametrize(
    ("record", "collection", "other", "name"),
    [
        ("HR00001", "cinc", "ptbxl", "1"),
        ("21837", "ptbxl", "cinc", "HR21837"),
        ("A0001", "cinc", "cpsc2018", "A0001"),
        ("WFDB_CPSC2018/A0001", "cinc", "cpsc2018", "A0001"),
        ("A0001", "cpsc2018", "cinc", "A0001"),
        ("JS00001", "csn", "cinc", "JS00001"),
        ("S0001", "cinc", "ptb", ""),
        ("s0010_re", "ptb", "cinc", ""),
        ("E00001", "cinc", "ptbxl", None),
        ("Q0001", "cinc", "cpsc2018", None),
    ],
)
def test_a_recording_has_its_name_in_the_other_collection(record, collection, other, name):
    assert renames(collection, other)(record) == name


def test_collections_without_a_recording_in_common_have_no_names_for_each_other():
    assert renames("mimic-iv-ecg", "ptbxl") is None and renames("cpsc2018", "csn") is None


def test_every_collection_of_the_table_is_a_source():
    assert {name for shared in SHARED for name in (shared.one, shared.other)} <= {*SOURCES}


def test_recordings_of_the_challenge_that_were_trained_on_are_found_in_cpsc2018_by_name(tmp_path):
    contract = trained_on("cinc", "A0001", "A0003", "E00001", "JS00001")
    overlap = overlap_of(contract, tmp_path / "s", "cpsc2018", "A0001", "A0002", "A0003", "A0004")
    assert (overlap.n_scored, overlap.of_trained_recordings, overlap.of_shared_collections) == (4, 2, 0)
    assert overlap.of_trained_patients == 0 and overlap


def test_recordings_of_ptbxl_that_the_challenge_trained_on_are_found_by_number(tmp_path):
    overlap = overlap_of(trained_on("cinc", "HR00002"), tmp_path / "s", "ptbxl", "1", "2", "3")
    assert (overlap.of_trained_recordings, overlap.of_shared_collections) == (1, 0)


def test_recordings_of_a_trained_collection_whose_patients_do_not_follow_from_names_are_told_of_as_possible(tmp_path):
    """Of PTB-XL the run knows patients, and HR00001 does not say whose it is."""
    overlap = overlap_of(trained_on("ptbxl", "15709", "13243"), tmp_path / "s", "cinc", "HR00001", "HR00002", "E00001")
    assert (overlap.of_trained_recordings, overlap.of_shared_collections) == (0, 2)
    assert overlap and str(overlap).endswith("; 2 more may be: a collection trained on holds them under other names")


def test_a_model_without_hashes_of_patients_says_that_the_recordings_may_be_known(tmp_path):
    overlap = overlap_of(trained_on("cinc"), tmp_path / "s", "csn", "JS00001", "JS00002")
    assert (overlap.of_trained_recordings, overlap.of_shared_collections) == (0, 2)


def test_a_collection_that_shares_nothing_is_clean(tmp_path):
    overlap = overlap_of(trained_on("cinc", "A0001"), tmp_path / "s", "ludb", "1", "2")
    assert not overlap and str(overlap) == "none of 2 records"
