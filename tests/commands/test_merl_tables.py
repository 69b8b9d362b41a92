"""The counts of MERL's tables: what is printed, and what the JSON holds."""

import json

import pytest

from cgdmer_jax.commands.merl_tables import main
from cgdmer_jax.errors import CgdmerError
from tests.data.merl_tables import MOVED, write_tables

RECORDS = [(number, number // 2, number // 2 % 10 + 1) for number in range(2, 82)]


@pytest.fixture
def folder(tmp_path):
    return write_tables(tmp_path / "tables", RECORDS)


def test_each_part_of_all_six_tables_and_of_the_exact_labels_has_a_row_that_names_its_own_columns(folder, tmp_path):
    out = tmp_path / "counts.json"
    assert main([f"--tables={folder}", f"--out={out}"]) == 0
    document = json.loads(out.read_text())
    assert document.keys() == {"command", "commit", "environment", "rows"}
    by_key = {(row["task"], row["part"]): row for row in document["rows"]}
    tasks = {"super", "sub", "sub_exact", "form", "rhythm", "cpsc2018", "csn", "csn_exact"}
    assert by_key.keys() == {(task, part) for task in tasks for part in ("train", "val", "test")}
    assert by_key["super", "train"]["records"] == 64 and by_key["super", "train"]["fewer_labels"] == {"10%": 6, "1%": 0}
    assert list(by_key["sub", "test"]["positives"]) == MOVED
    assert list(by_key["sub_exact", "test"]["positives"]) == ["NORM", "AVB", "RAO/RAE", "ISC"]
    assert by_key["csn", "train"]["positives"] == {"VB": 3, "AVB": 2, "SA": 1}
    assert by_key["csn_exact", "train"]["positives"] == {"VB": 1, "AVB": 1, "SA": 1}


def test_print_says_sizes_and_the_classes_too_rare_to_trust(folder, capsys):
    main([f"--tables={folder}"])
    printed = {text.split()[0]: text for text in capsys.readouterr().out.splitlines()}
    assert printed["csn"].endswith("3 classes, records 4 / 2 / 2; rare in test: VB 2, AVB 2, SA 1")
    assert printed["csn_exact"].endswith("rare in test: VB 0, AVB 1, SA 1")


def test_a_folder_that_is_not_the_release_is_told_in_one_sentence(tmp_path):
    with pytest.raises(CgdmerError, match=r"train\.csv is missing; --tables is a copy of finetune/data_split of"):
        main([f"--tables={tmp_path}"])
