"""MERL's published tables: their counts, their faults as they are, and exact labels beside them."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.published_splits import PARTS, SplitTable, read_tables, roles
from cgdmer_jax.errors import CgdmerError
from tests.data.merl_tables import write_tables

RECORDS = [(number, number // 2, number // 2 % 10 + 1) for number in range(2, 82)]

# The published tables: records of train, val, test; classes; of test those with < 10 positives and their number.
PUBLISHED = {
    "super": ((17084, 2146, 2158), 5, {}),
    "sub": ((17084, 2146, 2158), 23, {"SEHYP": 2, "PMI": 2, "WPW": 8, "ILBBB": 8}),
    "form": ((7197, 901, 880), 19, {"PRC(S)": 1, "TAB": 3, "STE": 3, "HVOLT": 6}),
    "rhythm": ((16832, 2100, 2098), 12, {"TRIGU": 2, "PSVT": 2, "SVTAC": 3, "AFLT": 7, "BIGU": 8}),
    "cpsc2018": ((4950, 551, 1376), 9, {}),
    "csn": ((16546, 1860, 4620), 38, {"2AVB1": 1, "2AVB": 4, "VEB": 5, "RVH": 5, "JEB": 5, "PRIE": 8}),
}
# The published tables: positives as released and exact, of all three parts and of test.
CONTAMINATED = {
    "VB": (916, 3, 169, 0),
    "AVB": (913, 176, 169, 39),
    "CR": (216, 75, 50, 12),
    "AF": (4753, 3340, 987, 690),
    "SA": (2828, 2107, 536, 395),
    "ST": (6338, 5154, 1281, 1030),
    "2AVB": (38, 22, 4, 3),
}


@pytest.fixture(scope="module")
def published(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, SplitTable]:
    folder = tmp_path_factory.mktemp("tables")
    with tarfile.open(shared_data / "merl_data_split.tar.xz") as file:
        file.extractall(folder, filter="data")
    return {table.task: table for table in read_tables(folder / "merl_data_split")}


@pytest.fixture
def folder(tmp_path):
    return write_tables(tmp_path / "tables", RECORDS)


def _positives(part) -> dict[str, int]:
    return dict(zip(part.classes, part.labels.sum(0).tolist(), strict=True))


@pytest.mark.shared_data
@pytest.mark.parametrize("task", PUBLISHED)
def test_records_classes_and_rare_positives_are_those_published(published, task):
    records, n_classes, rare = PUBLISHED[task]
    table = published[task]
    assert tuple(len(table.parts[part].record_id) for part in PARTS) == records
    assert all(table.parts[part].labels.shape[1] == n_classes for part in PARTS)
    assert {name: n for name, n in _positives(table.parts["test"]).items() if n < 10} == rare


@pytest.mark.shared_data
def test_csn_labels_by_whole_acronyms_take_seven_columns_back(published):
    released, corrected = (published[task].parts for task in ("csn", "csn_exact"))
    changed = {}
    for name in published["csn"].classes:
        every = [sum(_positives(parts[part])[name] for part in PARTS) for parts in (released, corrected)]
        test = [_positives(parts["test"])[name] for parts in (released, corrected)]
        if every[0] != every[1]:
            changed[name] = (*every, *test)
    assert changed == CONTAMINATED


@pytest.mark.shared_data
def test_only_sub_moves_its_columns_and_only_csn_has_other_exact_labels(published):
    assert [task for task in published if task.endswith("_exact")] == ["sub_exact", "csn_exact"]
    sub = published["sub"]
    assert sub.classes[10:13] == ("AVB", "RAO/RAE", "ISC")
    assert sub.parts["val"].classes == sub.parts["test"].classes
    assert sub.parts["test"].classes[10:13] == ("ISC", "AVB", "RAO/RAE")
    assert _positives(published["sub_exact"].parts["test"]) == _positives(sub.parts["test"])


def test_labels_stay_under_the_column_where_the_file_has_them_and_exact_ones_go_by_name(folder):
    released, corrected = read_tables(folder, "ptbxl")[1:3]
    assert (released.task, corrected.task) == ("sub", "sub_exact")
    test = released.parts["test"]
    assert test.classes == ("NORM", "ISC", "AVB", "RAO/RAE")
    assert corrected.parts["test"].classes == released.classes == ("NORM", "AVB", "RAO/RAE", "ISC")
    np.testing.assert_array_equal(corrected.parts["test"].labels, test.labels[:, [0, 2, 3, 1]])
    np.testing.assert_array_equal(corrected.parts["train"].labels, released.parts["train"].labels)


def test_an_acronym_within_another_is_no_exact_label(folder):
    released, corrected = read_tables(folder, "csn")
    assert released.classes == ("VB", "AVB", "SA")
    assert released.parts["train"].labels.sum(0).tolist() == [3, 2, 1]
    assert corrected.parts["train"].labels.sum(0).tolist() == [1, 1, 1]
    assert corrected.parts["val"].labels.tolist() == [[False] * 3, [False, True, False]]
    assert released.parts["test"].record_id == ("JS00008", "JS00009")


def test_the_validation_split_never_opens_the_test_part_and_chooses_on_fold_8(folder):
    table = read_tables(folder, "ptbxl")[0]
    by_role = roles(table, "validation")
    folds = {name: set(role.part.fold[role.kept].tolist()) for name, role in by_role.items()}
    assert folds == {"fit": set(range(1, 8)), "choose": {8}, "score": {9}}
    whole = {name: set(role.part.fold[role.kept].tolist()) for name, role in roles(table, "test").items()}
    assert whole == {"fit": set(range(1, 9)), "choose": {9}, "score": {10}}


def test_one_collection_needs_no_file_of_another(folder):
    for file in (folder / "chapman").iterdir():
        file.unlink()
    assert [table.task for table in read_tables(folder, "cpsc2018")] == ["cpsc2018"]
    with pytest.raises(CgdmerError, match=r"chapman_train\.csv is missing; --tables is a copy of finetune"):
        read_tables(folder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ecg_id,", "ecg_number,", "cannot be read .'ecg_id'"),
        ("NORM,MI", "NORM,CD", "other classes in its val table"),
        (",9,", ",99,", "a fold that is not 1 to 10"),
        (",9,", ",999,", "cannot be read"),
        (",1,0\n", ",1\n", r"line \d+ has \d+ cells and its header"),
        (",1,0\n", ",2,0\n", r"line \d+: a label is neither 0 nor 1"),
    ],
)
def test_a_damaged_table_is_told_in_one_sentence(folder, old, new, words):
    file = folder / "ptbxl/super_class/ptbxl_super_class_val.csv"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(CgdmerError, match=words):
        read_tables(folder, "ptbxl")


def test_a_record_in_two_parts_is_refused(folder):
    train, test = (folder / f"icbeb/icbeb_{part}.csv" for part in ("train", "test"))
    test.write_text(train.read_text())
    with pytest.raises(CgdmerError, match=r"cpsc2018 .* name a record twice"):
        read_tables(folder, "cpsc2018")
