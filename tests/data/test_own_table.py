"""A table of one's own says of each recording what its columns were named to say, or one sentence says why not."""

import csv
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.commands.convert import main
from cgdmer_jax.data.sources.table_columns import parse_columns
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.bad_recordings import clean
from tests.data.own_folder import COLUMNS, HINTS, lines_of, write_own, write_table


def convert(root: Path, table: Path, columns: str, *more: str) -> int:
    words = ["--source=table", f"--root={root}", f"--table={table}", f"--columns={columns}", "--seconds=2"]
    return main([*words, *HINTS, "--processes=1", *more])


@pytest.mark.parametrize(("separator", "encoding"), [(",", "utf-8"), (";", "utf-16"), ("\t", "cp1252")])
def test_a_store_of_own_data_holds_what_was_written(tmp_path, separator, encoding):
    root, table = write_own(tmp_path / "own")
    write_table(table, lines_of(6), separator, encoding)
    assert convert(root, table, COLUMNS, f"--out={tmp_path / 'store'}") == 0
    store = open_store(tmp_path / "store")
    store.verify()
    assert store.namespace == "own" and [label.code for label in store.classes("rhythm")] == ["AF", "SB"]
    assert store.column("record_id").tolist() == [f"ecg/r{i}" for i in range(6)]
    assert store.column("patient_id").tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert store.column("fold").tolist() == [fold_of_patient(f"p{i // 2}") for i in range(6)]
    assert store.column("age").tolist() == [50, 51, 52, 53, 54, 55]
    assert store.column("sex").tolist() == ["male", "female"] * 3
    assert store.labels("rhythm").tolist() == [[True, True], [True, False], [False, False]] * 2
    assert store.labelled("rhythm").tolist() == [True, True, False] * 2
    assert store.texts == tuple(f"sinus rhythm, no. {i}" for i in range(6))
    np.testing.assert_allclose(store.read(np.arange(6)), [clean(i).T for i in range(6)], atol=1)


@pytest.mark.parametrize(
    ("columns", "marks", "labels", "labelled"),
    [
        ("AF+SB", ["10", "00", "11", "01"], [[1, 0], [0, 0], [1, 1], [0, 1]], [1, 1, 1, 1]),
        ("AF+SB", ["1 ", "  ", " 1", "11"], [[1, 0], [0, 0], [0, 1], [1, 1]], [1, 1, 1, 1]),  # an empty cell is 0
        ("AF+SB", ["1 ", "10", "00", "01"], [[0, 0], [1, 0], [0, 0], [0, 1]], [0, 1, 1, 1]),  # here it says nothing
        ("AF", ["1 ", "0 ", "  ", "0 "], [[1], [0], [0], [0]], [1, 1, 0, 1]),
    ],
)
def test_columns_of_0_and_1_are_classes_and_a_record_of_none_of_them_is_labelled(
    tmp_path, columns, marks, labels, labelled
):
    lines = [
        [*line[:6], *(mark.strip() for mark in both), "train"] for line, both in zip(lines_of(4), marks, strict=True)
    ]
    root, table = write_own(tmp_path / "own", 4, lines)
    convert(root, table, f"record=file,labels:x={columns}", f"--out={tmp_path / 'store'}")
    store = open_store(tmp_path / "store")
    assert store.labels("x").tolist() == [[bool(one) for one in line] for line in labels]
    assert store.labelled("x").tolist() == [bool(one) for one in labelled]


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        (["AF", "AF;SR", " SR ; AF;"], [("AF",), ("AF", "SR"), ("AF", "SR")]),
        (["AF", "AF, paroxysmal|SR", "SR"], [("AF",), ("AF, paroxysmal", "SR"), ("SR",)]),
        (["AF", "AF,SR", "SR"], [("AF",), ("AF", "SR"), ("SR",)]),
        (["['AF']", "['AF', 'SR']", "[]"], [("AF",), ("AF", "SR"), ()]),
        (["AF", "nan", "3"], [("AF",), (), ("3",)]),
    ],
)
def test_one_column_lists_classes_with_the_separator_that_it_has(tmp_path, cells, codes):
    lines = [[*line[:5], cell, *line[6:]] for line, cell in zip(lines_of(3), cells, strict=True)]
    root, table = write_own(tmp_path / "own", 3, lines)
    convert(root, table, "record=file,labels:x=diagnosis", f"--out={tmp_path / 'store'}")
    assert [tuple(one) for one in open_store(tmp_path / "store").column("label_x")] == codes


def test_splits_by_word_keep_patients_together_and_a_missing_validation_split_is_made(tmp_path, capsys):
    words = ["train", "train", "Val", "dev", "TEST", "holdout"]
    lines = [[*line[:8], word] for line, word in zip(lines_of(6), words, strict=True)]
    root, table = write_own(tmp_path / "own", 6, lines)
    convert(root, table, "record=file,patient=person,split=part", f"--out={tmp_path / 'a'}")
    folds = open_store(tmp_path / "a").column("fold").tolist()
    assert folds[0] == folds[1] <= 8 and folds[2:] == [9, 9, 10, 10]
    write_table(table, [[*line[:8], "train"] for line in lines])
    capsys.readouterr()
    convert(root, table, "record=file,split=part", f"--out={tmp_path / 'b'}")
    assert set(open_store(tmp_path / "b").column("fold")) <= set(range(1, 10))
    assert "a ninth of the training patients, by hash, makes it up" in capsys.readouterr().out


def test_without_patients_each_record_is_one_and_that_is_told(tmp_path, capsys):
    root, table = write_own(tmp_path / "own", 3)
    convert(root, table, "record=file", f"--out={tmp_path / 'store'}", "--name=ward-7")
    store = open_store(tmp_path / "store")
    assert store.namespace == "ward-7" and store.column("patient_id").tolist() == ["ecg/r0", "ecg/r1", "ecg/r2"]
    assert "each record counts as a patient of its own" in capsys.readouterr().out


def test_a_dry_run_shows_the_first_lines_and_writes_nothing(tmp_path, capsys):
    root, table = write_own(tmp_path / "own", 8, [[*line[:2], "Long report. " * 30, *line[3:]] for line in lines_of(8)])
    (root / "ecg/r1.npy").unlink()
    before = sorted(tmp_path.rglob("*"))
    assert convert(root, table, COLUMNS, "--dry_run") == 0
    printed = capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    assert "UTF-8, separated by comma, 8 recordings of 4 patients" in printed
    assert 'labels of rhythm (column "diagnosis", classes separated by ";"): AF 6, SB 3' in printed
    assert "line 2: ecg/r0: patient p0, fold" in printed and "12 leads (I, II, III, AVR" in printed
    assert "recording: cannot be read: record" in printed and "line 7" not in printed
    assert f"files: 7 of 8 are below {root}; missing: line 3 (ecg/r1)\n" in printed
    assert "of 8 records: reports 8, ages 8, sexes 8" in printed and "1 of the first 5 recordings could" in printed
    assert max(map(len, printed.split("\n"))) < 300 and "(389 characters)" in printed


def test_a_recording_that_is_not_there_or_elsewhere_is_rejected_and_the_others_kept(tmp_path):
    lines = [
        [name, *line[1:]]
        for name, line in zip(["ecg/r0", "ecg/gone", "../r", "ecg/r2.hea", 300 * "a" + "#1"], lines_of(5), strict=True)
    ]
    root, table = write_own(tmp_path / "own", 5, lines)
    convert(root, table, COLUMNS, f"--out={tmp_path / 'store'}", "--partial")
    assert open_store(tmp_path / "store").column("record_id").tolist() == ["ecg/r0", "ecg/r2.hea"]
    rejected = (tmp_path / "store" / "rejected.csv").read_text()
    assert rejected.startswith("row,line,record_id,problem,reason\n")
    assert '1,3,ecg/gone,no_signal_file,"record gone: no file is called so, with or without an ending' in rejected
    assert "2,4,../r,outside" in rejected


def test_a_unit_that_contradicts_the_amplitudes_is_the_one_that_was_given(tmp_path):
    root, table = write_own(tmp_path / "own", 3)
    convert(root, table, COLUMNS, f"--out={tmp_path / 'store'}", "--unit=uV")
    (line,) = csv.DictReader((tmp_path / "store/rejected.csv").read_text().splitlines())
    assert (line["line"], line["record_id"], line["problem"]) == ("3", "ecg/r1", "amplitude")
    assert line["reason"].startswith("signal given in uV (--unit) has a median peak-to-peak of 0.00")
    assert line["reason"].endswith('expected 0.02..30 mV; the unit is more likely "mV"')


def test_what_conversion_marks_is_told_with_the_first_records(tmp_path, capsys):
    root, table = write_own(tmp_path / "own", 8)
    for number in (1, 3, 5, 7):
        signal = np.load(root / f"ecg/r{number}.npy")
        signal[4] = 0
        np.save(root / f"ecg/r{number}.npy", signal)
    convert(root, table, COLUMNS, f"--out={tmp_path / 'store'}")
    printed = capsys.readouterr().out
    assert "4 records: a lead that was not recorded, flat or clipped, and is left out (lead_mask)" in printed
    assert "(lead_mask); in records.parquet: ecg/r1, ecg/r3, ecg/r5, ...\n" in printed


def test_numbers_with_decimal_commas_and_ids_with_a_needless_0_are_read(tmp_path):
    patients = ["0.0", "1.00", "1.05"]  # the last is no 15
    lines = [[line[0], patients[i], line[2], f"{50 + i},5", *line[4:]] for i, line in enumerate(lines_of(3))]
    root, table = write_own(tmp_path / "own", 3, lines)
    write_table(table, lines, ";")
    convert(root, table, COLUMNS, f"--out={tmp_path / 'store'}")
    store = open_store(tmp_path / "store")
    assert store.column("age").tolist() == [50.5, 51.5, 52.5]
    assert store.column("patient_id").tolist() == ["0", "1", "1.05"]


def test_a_recording_under_two_names_in_two_folds_is_told(tmp_path, capsys):
    lines = [["ecg/r0", "0", *lines_of(1)[0][2:]], ["./ecg/r0", "1", *lines_of(1)[0][2:]]]
    root, table = write_own(tmp_path / "own", 2, lines)
    convert(root, table, "record=file,patient=person", f"--out={tmp_path / 'store'}")
    assert fold_of_patient("0") != fold_of_patient("1")
    told = "1 records have the very samples of another one in another fold (such as ecg/r0 and ./ecg/r0)"
    assert told in capsys.readouterr().out and told in open_store(tmp_path / "store").info["remarks"][-1]


def test_a_dry_run_says_that_a_patient_is_in_two_folds(tmp_path):
    lines = [[*line[:6], str(i + 1), *line[7:]] for i, line in enumerate(lines_of(2))]
    root, table = write_own(tmp_path / "own", 2, lines)
    with pytest.raises(CgdmerError, match="another fold than line 2, which is of the same patient"):
        convert(root, table, "record=file,patient=person,fold=AF", "--dry_run")


def test_a_column_joined_with_itself_is_refused(tmp_path):
    root, table = write_own(tmp_path / "own", 2)
    with pytest.raises(CgdmerError, match=r'joins a column with itself \("AF\+AF"\); name each once'):
        convert(root, table, "record=file,labels:a=AF+AF", "--dry_run")


def test_other_hints_are_another_store(tmp_path):
    root, table = write_own(tmp_path / "own", 3)
    out = f"--out={tmp_path / 'store'}"
    convert(root, table, COLUMNS, out)
    with pytest.raises(
        CgdmerError, match=r"begun from another list of records \(other --recording_rate, --leads or --unit\)"
    ):
        convert(root, table, COLUMNS, out, "--recording_rate=200")
    with pytest.raises(CgdmerError, match=r"begun from another list of records \(other --columns\)"):
        convert(root, table, "record=file", out)
    with pytest.raises(CgdmerError, match=r"begun with --filter=none, this command has bandpass_0\.5_40"):
        convert(root, table, COLUMNS, out, "--filter=bandpass_0.5_40")
    write_table(table, lines_of(2))
    with pytest.raises(CgdmerError, match=r"begun from another list of records \(own\.csv has changed\)"):
        convert(root, table, COLUMNS, out)


CELLS = {"age": 3, "sex": 4, "AF": 6, "part": 8}


@pytest.mark.parametrize(
    ("columns", "cell", "value", "words"),
    [
        ("record=fil", None, "", r'has no column "fil"; name one that it has with --columns\. Did you mean "file"\?'),
        ("record=file,age=age", "age", "old", r'own\.csv: line 3, column "age": no age of 0 to 150; correct'),
        ("record=file,age=age", "age", "151", r'line 3, column "age": no age of 0 to 150'),
        ("record=file,sex=sex", "sex", "xy", r'line 3, column "sex": no sex that is known; write "female"'),
        ("record=file,fold=age", "age", "0", r'line 2, column "age": no fold from 1 to 10 \(and 3 more lines\)'),
        ("record=file,split=part", "part", "dogs", r'line 3, column "part": no split; write train, validation'),
        ("record=file,labels:x=AF+SB", "AF", "2", r'line 3, column "AF": neither 0 nor 1, as a'),
        ("record=person", None, "", r'line 2, column "person": line 3 names the same recording again'),
        ("record=file,labels:x=text+age", None, "", r'line 2, column "text": neither 0 nor 1'),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_meant_is_named_by_line_and_column(tmp_path, columns, cell, value, words):
    lines = lines_of(4)
    if cell:
        lines[1][CELLS[cell]] = value
    root, table = write_own(tmp_path / "own", 4, lines)
    with pytest.raises(CgdmerError, match=words) as raised:
        convert(root, table, columns, f"--out={tmp_path / 'store'}")
    assert not value or value not in str(raised.value).replace(str(tmp_path), "").replace("150", "").replace(
        "from 1 to 10", ""
    )
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("patient=p", r"does not say which column holds the files \(record=\.\.\.\)"),
        ("record=f,pateint=p", r'unknown field "pateint"; known: record, .*, labels:TASK\. Did you mean "patient"'),
        ("record=f,report", 'has "report", which names no column'),
        ("record=f,fold=a,split=b", "names fold and split"),
        ("record=f,record=g", "names record twice; join columns by"),
        ("record=f,labels:a b=g", 'has the task "a b"; name it with letters'),
        ('record=f,"x', "cannot be read .unexpected end of data"),
    ],
)
def test_a_mistake_in_the_mapping_is_one_sentence(text, words):
    with pytest.raises(CgdmerError, match=words):
        parse_columns(text)


def test_a_column_whose_name_has_a_comma_stands_in_quotes():
    mapping = parse_columns('record=a file,"report=text, final+more",labels:x=A+B')
    assert mapping.fields == {"record": "a file", "report": "text, final+more"} and mapping.tasks == {"x": "A+B"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--source=table"], "source table needs --root"),
        (["--source=synthetic", "--columns=record=x"], "--columns is for --source=table"),
        (["--source=synthetic", "--dry_run"], "--dry_run is for --source=table"),
        (["--source=table", "--root=.", "--table=x.csv", "--columns=record=f"], r"x\.csv is missing"),
        (
            ["--source=table", "--root=.", "--table=x.csv", "--columns=record=f", "--name=a/b"],
            'the name of the collection is "a/b"',
        ),
        (["--source=table", "--root=.", "--table=ptbxl.csv", "--columns=record=f"], "name of a public collection"),
        (["--source=table", "--root=.", "--unit=Millivolt"], r'--unit: unit is "Millivolt", expected V, mV, uV'),
    ],
)
def test_flags_that_do_not_go_together_are_told(tmp_path, words, told):
    with pytest.raises(CgdmerError, match=told):
        main([*words, f"--out={tmp_path / 'store'}"])
