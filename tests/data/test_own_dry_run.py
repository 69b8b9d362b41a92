"""A dry run and the beginning of a conversion say of the whole table what a conversion would find out late."""

from pathlib import Path

import pytest

from cgdmer_jax.commands.convert import main
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.own_folder import COLUMNS, HINTS, lines_of, write_own


def convert(root: Path, table: Path, columns: str, *more: str) -> int:
    words = ["--source=table", f"--root={root}", f"--table={table}", f"--columns={columns}", "--seconds=2"]
    return main([*words, *HINTS, "--processes=1", *more])


def test_files_that_are_missing_further_down_are_counted_and_the_first_of_them_named(tmp_path, capsys):
    root, table = write_own(tmp_path / "own", 12)
    for number in (7, 8, 9, 11):
        next(root.glob(f"ecg/r{number}.[hn]*")).unlink()
    with pytest.raises(CgdmerError, match=r'4 of the 12 files that column "file" names are not below .*--partial'):
        convert(root, table, COLUMNS, "--dry_run")
    printed = capsys.readouterr().out
    assert f"files: 8 of 12 are below {root}; missing: line 9 (ecg/r7), line 10 (ecg/r8), line 11" in printed
    assert "and 1 more\n" in printed and "could not be read" not in printed
    assert convert(root, table, COLUMNS, "--dry_run", "--partial") == 0


@pytest.mark.parametrize("more", ["--dry_run", "--out"])
@pytest.mark.parametrize("given", [".", "own/ecg", "own/ecg/deep"])
def test_a_root_too_high_or_too_low_is_told_with_the_right_one(tmp_path, given, more):
    _, table = write_own(tmp_path / "own")
    (tmp_path / "own/ecg/deep").mkdir()
    more = more if more == "--dry_run" else f"--out={tmp_path / 'store'}"
    with pytest.raises(CgdmerError) as raised:
        convert(tmp_path / given, table, COLUMNS, more)
    told = str(raised.value)
    assert told.startswith(f'none of the 6 files that column "file" names lies below {tmp_path / given}; give --root')
    assert told.endswith(f". Did you mean --root={tmp_path / 'own'}?")
    assert not (tmp_path / "store").exists()


def test_backslashes_separate_folders_where_no_file_is_called_so(tmp_path, capsys):
    lines = [[line[0].replace("/", "\\"), *line[1:]] for line in lines_of(4)]
    root, table = write_own(tmp_path / "own", 4, lines)
    assert convert(root, table, COLUMNS, "--dry_run") == 0
    assert f"files: all 4 are below {root}" in capsys.readouterr().out
    convert(root, table, COLUMNS, f"--out={tmp_path / 'store'}")
    store = open_store(tmp_path / "store")
    assert store.n_records == 4 and store.column("record_id")[0] == "ecg\\r0"


@pytest.mark.parametrize(("column", "word"), [("split=part", "split"), ("fold=diagnosis", "fold")])
def test_a_patient_in_two_splits_or_folds_is_named_by_its_lines_in_a_dry_run_too(tmp_path, column, word):
    lines = lines_of(4)
    for line, fold, split in zip(lines, "1121", ("train", "train", "train", "test"), strict=True):
        line[5], line[8] = fold, split
    root, table = write_own(tmp_path / "own", 4, lines)
    told = (
        rf'own\.csv: line 5, column "{column.split("=")[1]}": another {word} than line 4, which is of the same patient'
    )
    for more in ("--dry_run", f"--out={tmp_path / 'store'}"):
        with pytest.raises(CgdmerError, match=told):
            convert(root, table, f"record=file,patient=person,{column}", more)


def test_reports_that_are_all_empty_and_labels_by_split_are_told(tmp_path, capsys):
    lines = [[*line[:2], "", *line[3:8], "test" if place > 3 else "train"] for place, line in enumerate(lines_of(6))]
    root, table = write_own(tmp_path / "own", 6, lines)
    assert convert(root, table, f"{COLUMNS},split=part,labels:finding=AF+SB", "--dry_run") == 0
    printed = capsys.readouterr().out
    assert "of 6 records: reports 0, ages 6, sexes 6\n  no record has a report" in printed
    assert [line.split("test ")[1] for line in printed.splitlines() if "  labelled: " in line] == ["1", "2"]


def test_recordings_none_of_which_can_be_read_fail_the_dry_run(tmp_path):
    root, table = write_own(tmp_path / "own", 4)
    for file in root.glob("ecg/*.npy"):
        file.write_bytes(b"no array")
    for file in root.glob("ecg/*.hea"):
        file.write_text("nothing")
    with pytest.raises(CgdmerError, match=r"none of the first 4 recordings can be read; the first: record .*ecg/r0"):
        convert(root, table, COLUMNS, "--dry_run")


def test_names_of_classes_that_hold_another_separator_are_remarked_on(tmp_path, capsys):
    cells = ["SR; AVB", "SR, AVB", "SR/AVB", "SR und AVB", "SR", "AF"]
    lines = [[*line[:5], cell, *line[6:]] for line, cell in zip(lines_of(6), cells, strict=True)]
    root, table = write_own(tmp_path / "own", 6, lines)
    assert convert(root, table, COLUMNS, "--dry_run") == 0
    printed = capsys.readouterr().out
    assert 'AF 1, AVB 1, SR 2, "SR und AVB" 1, "SR, AVB" 1, "SR/AVB" 1' in printed
    assert 'another separator stands in the cell: "SR und AVB", "SR, AVB", "SR/AVB"\n' in printed
