"""MIMIC-IV-ECG in its published layout: reports joined by study, leads by name, folds by subject."""

import csv
import re
import shutil

import numpy as np
import pytest

from cgdmer_jax.data.sources import REPORTS, SOURCES
from cgdmer_jax.data.sources.mimic_iv_ecg import join, n_words
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.errors import CgdmerError
from tests.data.layouts import STANDARD, mimic_path, wave, write_mimic

STUDIES = {40000001: 10000032, 40000002: 10000032, 40000003: 10000117, 40000004: 10002221, 40000005: 10002428}
STATEMENTS = {
    40000001: ["Sinus rhythm", "Possible left atrial abnormality", "", "Borderline EKG"],
    40000002: ["Atrial fibrillation"],
    40000003: ["*** Sinus tachycardia", "Nonspecific T wave changes ***"],
    40000004: ["Sinus rhythm", "Normal ECG"],
}
SIGNALS = {study: wave(study, 500) for study in STUDIES}


@pytest.fixture
def root(tmp_path):
    return write_mimic(tmp_path / "mimic", STUDIES, STATEMENTS, SIGNALS)


def by_id(source):
    return {record.record_id: record for record in source.records}


def test_reports_follow_their_study_although_the_tables_have_opposite_orders(root):
    records = by_id(SOURCES["mimic-iv-ecg"](root, 500, False))
    assert {int(study): record.report for study, record in records.items()} == {
        40000001: "Sinus rhythm. Possible left atrial abnormality. Borderline EKG",
        40000002: "Atrial fibrillation",
        40000003: "*** Sinus tachycardia. Nonspecific T wave changes ***",
        40000004: "Sinus rhythm. Normal ECG",
        40000005: "",
    }


def test_subjects_are_the_patients_and_stay_in_one_fold(root):
    source = SOURCES["mimic-iv-ecg"](root, 500, False)
    assert [record.patient_id for record in source.records] == [str(subject) for subject in STUDIES.values()]
    assert len({(record.patient_id, record.fold) for record in source.records}) == 4


def test_leads_stored_with_avf_before_avl_arrive_in_the_canonical_order(root, tmp_path):
    convert(SOURCES["mimic-iv-ecg"](root, 500, False), tmp_path / "store", rate=500, seconds=2, progress=False)
    store = open_store(tmp_path / "store")
    expected = np.round(SIGNALS[40000003] * 200) / 200 * 1000  # microvolts, on the steps of 200 a millivolt
    stored = store.read(np.array([2]))[0]
    assert np.abs(stored - expected).max() <= 0.5
    assert not np.allclose(stored[STANDARD.index("aVL")], stored[STANDARD.index("aVF")], atol=100)


def test_stored_texts_are_cleaned_as_merl_cleans_them(root, tmp_path):
    convert(SOURCES["mimic-iv-ecg"](root, 500, False), tmp_path / "store", rate=100, seconds=2, progress=False)
    store = open_store(tmp_path / "store")
    assert [store.texts[number] if number >= 0 else None for number in store.column("text_id")] == [
        "sinus rhythm. possible left atrial abnormality. borderline ecg.",
        "atrial fibrillation.",
        "sinus tachycardia. nonspecific t wave changes.",
        "sinus rhythm. normal ecg.",
        None,
    ]


def test_reports_can_be_read_without_the_recordings(root):
    shutil.rmtree(root / "files")
    records = SOURCES["mimic-iv-ecg"](root, 500, False).records
    assert REPORTS["mimic-iv-ecg"](root) == [(record.fold, record.report) for record in records]
    assert len(records) == 5


def merl(statements):
    """MERL's rule in its own order of steps, with one full stop at the end and no blank before it."""
    text = ". ".join(statements).replace("EKG", "ECG").replace("ekg", "ecg")
    for marks in (" ***", "*** ", "***", "=-", "="):
        text = text.strip(marks)
    ended = " ".join(f"{text.lower()}.".split())
    return re.sub(r"(?: ?\.)+$", ".", ended), len(text.split())


@pytest.mark.parametrize(
    "statements",
    [
        ["Sinus rhythm", "Normal ECG"],
        ["Sinus rhythm"],
        ["*** Consider acute ST elevation MI ***"],
        ["--- Recording unsuitable for analysis - please repeat ---"],
        ["Sinus rhythm", "*** Age not entered, assumed to be 50 years old for purpose of EKG interpretation"],
        ["Warning: Data quality may affect interpretation", "==="],
    ],
)
def test_words_and_text_are_those_of_merls_notebook(statements):
    text, words = merl(statements)
    assert n_words(join(statements)) == words
    assert clean(join(statements), "mimic-iv-ecg") == text


def test_merls_rule_leaves_short_reports_out_by_option_and_its_count_stands_beside_ours(root):
    every, long = (SOURCES[name](root, 500, False) for name in ("mimic-iv-ecg", "mimic-iv-ecg-merl"))
    assert [int(record.record_id) for record in long.records] == [40000001, 40000003, 40000004]
    assert every.remarks[0] == (
        "3 of 5 reports have 4 words or more; of the complete collection MERL counts 771,693 and leaves out the others"
    )
    assert every.remarks[1:] == ["1 recordings have no line in machine_measurements.csv and so no report"]
    assert long.remarks[-1] == "2 recordings were left out for their short reports"
    assert every.name == long.name == "mimic-iv-ecg"  # one collection: what was trained on either is told of both


def change(file, study, column, value):
    rows = list(csv.DictReader(file.open(newline="")))
    for row in rows:
        if row["study_id"] == str(study):
            row[column] = value
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("machine_measurements.csv", "study_id", "40000001", "has two lines of study 40000001"),
        (
            "machine_measurements.csv",
            "subject_id",
            "10009999",
            "is of subject 10000032 in record_list.csv and of another",
        ),
        ("machine_measurements.csv", "subject_id", "ten", 'a line whose subject_id is "ten", expected a number'),
        ("record_list.csv", "study_id", "", 'a line whose study_id is "", expected a number'),
        ("record_list.csv", "path", "files/p10 00/x", "study 40000002 has no readable path"),
    ],
)
def test_a_damaged_table_is_one_sentence(root, table, column, value, words):
    change(root / table, 40000002, column, value)
    with pytest.raises(CgdmerError, match=words):
        SOURCES["mimic-iv-ecg"](root, 500, False)


def test_a_path_out_of_the_collection_rejects_that_record_alone(root, tmp_path):
    change(root / "record_list.csv", 40000002, "path", "../elsewhere/40000002")
    summary = convert(SOURCES["mimic-iv-ecg"](root, 500, False), tmp_path / "s", rate=100, seconds=2, progress=False)
    assert summary.rejected == {"outside": 1} and summary.n_records == 4


def test_a_folder_of_something_else_says_which_table_is_missing(tmp_path):
    with pytest.raises(CgdmerError, match=r"record_list\.csv is not in .*; --root is the folder of MIMIC-IV-ECG"):
        SOURCES["mimic-iv-ecg"](tmp_path, 500, False)


def test_a_missing_recording_is_rejected_with_its_reason(root, tmp_path):
    (root / f"{mimic_path(10002428, 40000005)}.dat").unlink()
    summary = convert(SOURCES["mimic-iv-ecg"](root, 500, False), tmp_path / "s", rate=100, seconds=2, progress=False)
    assert summary.rejected == {"no_signal_file": 1}
