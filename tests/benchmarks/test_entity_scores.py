"""Scores of the phrase table: the arithmetic on made-up records, and the published figures on PTB-XL's own tables."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.entity_scores import read_records, scored
from cgdmer_jax.data.text.entities import ABSENT, NOT_MENTIONED, PRESENT, UNCERTAIN, Entity, shipped_table

RESULTS = Path(__file__).parents[2] / "results/entity-scores.json"
MEMBERS = ("ptb-xl-metadata/ptbxl_database.csv",)
# Findings whose words PTB-XL's codes follow: entity -> lowest recall, lowest precision of what is present.
FOLLOWED = {
    "atrial_fibrillation": (0.99, 0.98),
    "sinus_rhythm": (0.99, 0.99),
    "sinus_tachycardia": (0.99, 0.95),
    "paced_rhythm": (0.95, 0.98),
    "prolonged_pr": (0.99, 0.96),
    "lbbb": (0.9, 0.7),
    "myocardial_infarction": (0.7, 0.94),
    "digitalis_effect": (0.8, 0.7),
}


def test_precision_and_recall_of_made_up_records():
    entity = Entity("e", "e", "group", (), ("A", "B"), ("WIDER",))
    codes = [{"A": 100.0}, {"A": 0.0}, {"B": 50.0, "A": 0.0}, {"WIDER": 80.0}, {"C": 100.0}, {}, {"A": 15.0}]
    state = np.array([PRESENT, PRESENT, UNCERTAIN, PRESENT, PRESENT, ABSENT, NOT_MENTIONED])
    row = scored(entity, state, codes)
    assert (row["present"], row["uncertain"], row["absent"], row["coded"]) == (4, 1, 1, 4)
    assert row["precision_present"] == 0.75  # A, A at 0, and the wider code; not C
    assert (row["precision_uncertain"], row["coded_though_absent"]) == (1.0, 0.0)
    assert (row["recall_present"], row["recall"]) == (0.5, 0.75)
    assert (row["coded_with_likelihood"], row["coded_with_likelihood_0"]) == (3, 1)
    assert (row["recall_with_likelihood"], row["recall_with_likelihood_0"]) == (round(2 / 3, 4), 1.0)
    assert row["precision_with_likelihood"] == 0.25
    assert (row["median_likelihood_of_present"], row["median_likelihood_of_uncertain"]) == (100.0, 50.0)


def test_an_entity_without_codes_has_counts_alone():
    row = scored(Entity("e", "e", "group", (), (), ()), np.array([PRESENT]), [{}])
    assert list(row) == ["entity", "scp", "scp_within", "present", "uncertain", "absent"]


def test_the_published_scores_are_of_the_shipped_table():
    first = json.loads(RESULTS.read_text())["rows"][0]
    assert (first["version"], first["table_sha256"]) == (shipped_table().version, shipped_table().sha256)


@pytest.mark.shared_data
def test_reports_of_ptbxl_are_read_as_published(shared_data, tmp_path):
    with tarfile.open(shared_data / "ptb-xl-metadata.tar.xz") as archive:
        for member in MEMBERS:
            archive.extract(member, tmp_path, filter="data")
    reports, codes = read_records(tmp_path / "ptb-xl-metadata")
    kept = [number for number, report in enumerate(reports) if report]
    assert (len(reports), len(kept)) == (21_799, 21_432)
    table = shipped_table()
    distinct = sorted({reports[number] for number in kept})
    state_of = dict(zip(distinct, table.table(distinct), strict=True))
    states = np.stack([state_of[reports[number]] for number in kept])
    kept_codes = [codes[number] for number in kept]
    published = {row.get("entity"): row for row in json.loads(RESULTS.read_text())["rows"]}
    for key, (recall, precision) in FOLLOWED.items():
        number = table.keys.index(key)
        row = scored(table.entities[number], states[:, number], kept_codes)
        assert row == published[key]
        assert row["recall"] >= recall and row["precision_present"] >= precision, key
    known = {code for one in codes for code in one}
    assert {code for entity in table.entities for code in (*entity.scp, *entity.scp_within)} == known
