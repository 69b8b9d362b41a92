"""PTB-XL's tables give the benchmark's counts, MERL's labels, and who the patients are."""

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.readers.wfdb import RecordError
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.sources.ptbxl import open_source, read_reports
from cgdmer_jax.data.sources.source import Source
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.ptbxl_root import line, samples, write_root

# Records with at least one label of the task, by folds 1-8, 9, 10: the sizes of MERL's tables.
COUNTS = {
    "super": (17084, 2146, 2158),
    "sub": (17084, 2146, 2158),
    "form": (7197, 901, 880),
    "rhythm": (16832, 2100, 2098),
}
N_CLASSES = {"super": 5, "sub": 23, "form": 19, "rhythm": 12}
MERL_FOLDER = {"super": "super_class", "sub": "sub_class", "form": "form", "rhythm": "rhythm"}


@pytest.fixture(scope="module")
def tables(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PTB-XL's complete tables and MERL's split tables, unpacked."""
    folder = tmp_path_factory.mktemp("tables")
    for archive in ("ptb-xl-metadata.tar.xz", "merl_data_split.tar.xz"):
        with tarfile.open(shared_data / archive) as file:
            file.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def whole(tables: Path) -> Source:
    """All 21,799 records of version 1.0.3, without recordings."""
    (tables / "ptb-xl-metadata" / "records100").mkdir()
    return open_source(tables / "ptb-xl-metadata", 100)


@pytest.mark.shared_data
@pytest.mark.parametrize("task", COUNTS)
def test_counts_of_labelled_records_are_those_of_the_benchmark(whole, task):
    assert len(whole.records) == 21799
    folds = [record.fold for record in whole.records if record.labels[task]]
    split = [sum(fold <= 8 for fold in folds), folds.count(9), folds.count(10)]
    assert tuple(split) == COUNTS[task]
    assert len(whole.tasks[task]) == N_CLASSES[task]


@pytest.mark.shared_data
@pytest.mark.parametrize("task", COUNTS)
def test_every_label_equals_merls_table(whole, tables, task):
    """No label differs. MERL strips underscores from codes (NST for NST_, AVB for _AVB); ours keep them."""
    ours = {record.record_id: record for record in whole.records if record.labels[task]}
    column = {label.code: label.code.strip("_") for label in whole.tasks[task]}
    parts = {"train": range(1, 9), "val": (9,), "test": (10,)}
    n_compared = 0
    for part, folds in parts.items():
        folder = tables / "merl_data_split" / "ptbxl" / MERL_FOLDER[task]
        with (folder / f"ptbxl_{MERL_FOLDER[task]}_{part}.csv").open(newline="") as file:
            for merl in csv.DictReader(file):
                record = ours.pop(merl["ecg_id"])
                theirs = {code: int(merl[name]) for code, name in column.items()}
                assert {code: int(code in record.labels[task]) for code in column} == theirs, merl["ecg_id"]
                assert record.fold in folds
                assert float(merl["patient_id"]) == float(record.patient_id)
                n_compared += len(theirs)
    assert not ours  # and MERL has no record less
    assert n_compared == sum(COUNTS[task]) * N_CLASSES[task]


@pytest.mark.shared_data
def test_ages_above_89_are_unknown_and_patients_stay_in_one_fold(whole):
    assert sum(record.age is None for record in whole.records) == 293
    assert max(record.age for record in whole.records if record.age is not None) == 89
    fold_of = {}
    assert all(fold_of.setdefault(r.patient_id, r.fold) == r.fold for r in whole.records)
    assert len(fold_of) == 18869


@pytest.mark.shared_data
def test_the_first_two_records_are_as_published(whole):
    first, second = whole.records[:2]
    assert (first.record_id, first.patient_id, first.fold, first.age) == ("1", "15709", 3, 56.0)
    assert (first.sex, second.sex, first.device) == ("female", "male", "CS-12   E")
    assert first.report == "sinusrhythmus periphere niederspannung"
    assert first.location == "records100/00000/00001_lr"
    assert first.labels == {"super": ("NORM",), "sub": ("NORM",), "form": ("LVOLT",), "rhythm": ("SR",)}


def test_codes_with_likelihood_0_count(tmp_path):
    root = write_root(tmp_path / "root", [line(1, scp_codes="{'IMI': 0.0, 'SR': 0.0}")])
    labels = open_source(root, 100).records[0].labels
    assert labels == {"super": ("MI",), "sub": ("IMI",), "form": (), "rhythm": ("SR",)}


def test_a_code_of_two_tasks_counts_in_both(tmp_path):
    root = write_root(tmp_path / "root", [line(1, scp_codes="{'NDT': 50.0}")])
    labels = open_source(root, 100).records[0].labels
    assert labels == {"super": ("STTC",), "sub": ("STTC",), "form": ("NDT",), "rhythm": ()}


def test_classes_are_in_alphabetical_order_with_english_names(tmp_path):
    source = open_source(write_root(tmp_path / "root", [line(1)]), 100)
    assert [label.code for label in source.tasks["super"]] == ["MI", "NORM", "STTC"]
    names = [label.name for label in source.tasks["form"]]
    assert names == ["low QRS voltages", "non-diagnostic T abnormalities"]


def test_unknown_age_sex_and_device_are_none(tmp_path):
    root = write_root(tmp_path / "root", [line(1, age="300.0", sex="", device="  "), line(3, age="", sex="0")])
    first, second = open_source(root, 100).records
    assert (first.age, first.sex, first.device) == (None, None, None)
    assert (second.age, second.sex) == (None, "male")


def test_the_folder_of_the_wanted_rate_is_read(tmp_path):
    root = write_root(tmp_path / "root", [line(1)], rates=(100, 500))
    for rate in (100, 500):
        source = open_source(root, rate)
        recording = source.read(source.records[0])
        assert source.rate == recording.rate == rate and not source.remarks
        np.testing.assert_allclose(recording.signal_mv, samples(1, rate, 2.0).T / 1000, atol=1e-6)


@pytest.mark.parametrize(
    ("there", "wanted", "read", "words"),
    [
        (500, 100, 500, "records500 (500 Hz) were resampled to 100 Hz"),
        (100, 500, 100, "nothing above 50 Hz"),
        (500, 250, 500, "resampled to 250 Hz"),
    ],
)
def test_without_the_folder_of_the_rate_the_other_is_read_and_a_remark_says_so(tmp_path, there, wanted, read, words):
    source = open_source(write_root(tmp_path / "root", [line(1)], rates=(there,)), wanted)
    assert source.rate == read
    assert words in source.remarks[0]


def test_recordings_that_the_table_does_not_list_are_named_in_a_remark(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2), line(3)])
    table = (root / "ptbxl_database.csv").read_text().splitlines(keepends=True)
    (root / "ptbxl_database.csv").write_text("".join(table[:2] + table[3:]))  # without record 2
    source = open_source(root, 100)
    assert [record.record_id for record in source.records] == ["1", "3"]
    assert source.remarks == ["1 recordings in records100 are not in ptbxl_database.csv and were left out (00002_lr)"]


def test_of_many_recordings_that_the_table_does_not_list_a_few_are_named(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2)])
    for number in range(10, 3010):
        (root / f"records100/00000/{number:05d}_lr.hea").write_text("")
    (remark,) = open_source(root, 100).remarks
    assert remark == (
        "3,000 recordings in records100 are not in ptbxl_database.csv and were left out (00010_lr, 00011_lr, 00012_lr "
        "and 2,997 more); the published tables list nearly all: is this one whole?"
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.encode() + b"\xff\n", r"is UTF-8 and damaged \(byte 0xff in line 5\); .*restore"),
        (lambda text: text.encode()[:-40], r"is cut inside its last line \(4\); restore"),
        (lambda text: text.replace("records500/00000/00003_hr", '"x').encode(), r"is no CSV .*unexpected end of data"),
    ],
)
@pytest.mark.parametrize("read", [read_reports, lambda root: open_source(root, 100)])
def test_a_damaged_or_cut_table_is_one_sentence(tmp_path, read, spoil, words):
    root = write_root(tmp_path / "root", [line(1), line(2, report="geringfügig"), line(3)])
    file = root / "ptbxl_database.csv"
    file.write_bytes(spoil(file.read_bytes().decode()))
    with pytest.raises(CgdmerError, match=rf"ptbxl_database\.csv {words}") as caught:
        read(root)
    assert "\n" not in str(caught.value) and "geringf" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_table_that_a_spreadsheet_saved_anew_says_the_same(tmp_path, encoding):
    root = write_root(tmp_path / "root", [line(1), line(2, report="geringfügig"), line(3)])
    before, file = open_source(root, 100), root / "ptbxl_database.csv"
    file.write_bytes(file.read_bytes().decode().encode(encoding))
    after = open_source(root, 100)
    assert after.records == before.records
    assert [remark for remark in after.remarks if "Windows-1252" in remark] == after.remarks[: encoding == "latin-1"]


def test_a_table_whose_last_line_lacks_its_end_is_read(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2)])
    file = root / "ptbxl_database.csv"
    file.write_bytes(file.read_bytes().rstrip())
    assert len(open_source(root, 100).records) == 2


def test_a_report_may_hold_what_unicode_takes_for_an_end_of_line(tmp_path):
    report = "sinus\u2028rhythm \x85 and \x0b more"
    assert (
        open_source(write_root(tmp_path / "root", [line(1, report=report), line(2)]), 100).records[0].report == report
    )


def test_a_listed_record_without_files_is_an_error_of_that_record_alone(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2)])
    (root / "records100" / "00000" / "00002_lr.hea").unlink()
    source = open_source(root, 100)
    source.read(source.records[0])
    with pytest.raises(RecordError) as raised:
        source.read(source.records[1])
    assert raised.value.problem == "no_header"


def test_what_is_wrong_with_the_folder_is_told_in_one_sentence(tmp_path):
    with pytest.raises(CgdmerError, match=r"ptbxl_database\.csv is not in .*--root"):
        SOURCES["ptbxl"](tmp_path, 100, False)
    root = write_root(tmp_path / "bare", [line(1)], rates=())
    with pytest.raises(CgdmerError, match="neither records100 nor records500"):
        open_source(root, 100)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scp_codes": "{'NORM': __import__('os')}"}, "record 1 has no readable scp_codes"),
        ({"scp_codes": "NORM"}, "record 1 has no readable scp_codes"),
        ({"scp_codes": "{'NORN': 100.0}"}, 'record 1 has the code "NORN"'),
        ({"sex": "male"}, "record 1 has no readable sex"),
        ({"sex": "2"}, "record 1 has no readable sex"),
        ({"sex": "0.5"}, "record 1 has no readable sex"),
        ({"age": "old"}, "record 1 has no readable age"),
        ({"scp_codes": "-" * 100_000}, "record 1 has no readable scp_codes"),
        ({"scp_codes": "{" * 100_000}, "record 1 has no readable scp_codes"),
        ({"age": "inf"}, "record 1 has no readable age"),
        ({"age": "-3"}, "record 1 has no readable age"),
        ({"age": "151"}, "record 1 has no readable age"),
        ({"age": "299.9"}, "record 1 has no readable age"),
        ({"age": "1_0"}, "record 1 has no readable age"),
        ({"age": "\u0665\u0666"}, "record 1 has no readable age"),
        ({"age": "1e9"}, "record 1 has no readable age"),
        ({"patient_id": "15709.7"}, "record 1 has no readable patient_id"),
        ({"patient_id": "15_709"}, "record 1 has no readable patient_id"),
        ({"strat_fold": "0"}, "record 1 has no readable strat_fold"),
        ({"strat_fold": "11"}, "record 1 has no readable strat_fold"),
        ({"patient_id": ""}, "record 1 has no readable patient_id"),
        ({"patient_id": "nan"}, "record 1 has no readable patient_id"),
        ({"patient_id": "inf"}, "record 1 has no readable patient_id"),
        ({"patient_id": "15.5"}, "record 1 has no readable patient_id"),
        ({"strat_fold": "nan"}, "record 1 has no readable strat_fold"),
        ({"strat_fold": "3.7"}, "record 1 has no readable strat_fold"),
        ({"report": "x" * 200_000}, "field larger than field limit"),
    ],
)
def test_a_field_that_cannot_be_read_is_named_with_its_record(tmp_path, changes, words):
    root = write_root(tmp_path / "root", [line(1, **changes)])
    with pytest.raises(CgdmerError, match=words):
        open_source(root, 100)


@pytest.mark.parametrize(
    ("written", "patient"), [("15709.0", "15709"), ("1.5709e4", "15709"), ("9007199254740993.0", "9007199254740993")]
)
def test_a_patients_number_is_read_exactly(tmp_path, written, patient):
    (record,) = open_source(write_root(tmp_path / "root", [line(1, patient_id=written)]), 100).records
    assert record.patient_id == patient


@pytest.mark.parametrize(("written", "age"), [("0", 0.0), ("150", 150.0), ("56.5", 56.5), ("300", None), (" ", None)])
def test_an_age_is_read_as_written_and_300_is_none(tmp_path, written, age):
    (record,) = open_source(write_root(tmp_path / "root", [line(1, age=written)]), 100).records
    assert record.age == age


@pytest.mark.parametrize(("written", "sex"), [("0", "male"), ("1", "female"), ("1.0", "female"), ("0.0", "male")])
def test_a_sex_is_read_as_pandas_writes_it_too(tmp_path, written, sex):
    (record,) = open_source(write_root(tmp_path / "root", [line(1, sex=written)]), 100).records
    assert record.sex == sex


def test_a_record_without_id_is_refused(tmp_path):
    root = write_root(tmp_path / "root", [line(1)])
    text = (root / "ptbxl_database.csv").read_text()
    (root / "ptbxl_database.csv").write_text(text.replace("\n1,", "\nnan,"))
    with pytest.raises(CgdmerError, match=r"ptbxl_database\.csv has a record without ecg_id; restore"):
        open_source(root, 100)


def test_a_table_without_a_needed_column_is_refused_by_name(tmp_path):
    root = write_root(tmp_path / "root", [line(1)])
    text = (root / "ptbxl_database.csv").read_text()
    (root / "ptbxl_database.csv").write_text(text.replace("strat_fold", "fold"))
    with pytest.raises(CgdmerError, match=r"ptbxl_database\.csv has no column \"strat_fold\""):
        open_source(root, 100)


@pytest.mark.parametrize(
    "nothing", ["nan", "NaN", " NaN ", "None", "null", "NA", "N/A", "<NA>", "nil", "-", ".", "NaT"]
)
def test_a_cell_that_spells_nothing_is_no_text_and_no_value_in_any_column(tmp_path, nothing):
    changes = {"report": nothing, "age": nothing, "sex": nothing, "device": nothing}
    root = write_root(tmp_path / "root", [line(1, **changes), line(2)])
    first, second = open_source(root, 100).records
    assert (first.report, first.age, first.sex, first.device) == ("", None, None, None)
    assert second.report == "sinusrhythmus nummer 2"
    assert read_reports(root) == [(1, ""), (2, "sinusrhythmus nummer 2")]
    convert(open_source(root, 100), tmp_path / "store", rate=100, seconds=2.0, progress=False)
    store = open_store(tmp_path / "store")
    assert store.texts == ("sinusrhythmus nummer 2",) and store.column("text_id").tolist() == [-1, 0]
    assert store.info["quality"]["no_report"] == 1


@pytest.mark.parametrize("report", ["no nan", "none seen", "n", "not a number", "nanocardia", "keine"])
def test_a_report_that_only_holds_such_a_word_is_kept(tmp_path, report):
    assert open_source(write_root(tmp_path / "root", [line(1, report=report)]), 100).records[0].report == report


def test_a_statement_that_pandas_wrote_with_nan_is_of_no_further_task(tmp_path):
    root = write_root(tmp_path / "root", [line(1, scp_codes="{'SR': 0.0}")])
    table = (root / "scp_statements.csv").read_text()
    assert "SR,sinus rhythm,,,1.0,," in table
    (root / "scp_statements.csv").write_text(
        table.replace("SR,sinus rhythm,,,1.0,,", "SR,sinus rhythm,nan,nan,1.0,nan,nan")
    )
    assert open_source(root, 100).records[0].labels == {"super": (), "sub": (), "form": (), "rhythm": ("SR",)}


def test_a_table_that_a_spreadsheet_marked_as_utf_8_is_read(tmp_path):
    root = write_root(tmp_path / "root", [line(1)])
    file = root / "ptbxl_database.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert open_source(root, 100).records[0].record_id == "1"
