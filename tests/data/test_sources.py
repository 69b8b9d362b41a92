"""CPSC2018, LUDB, PTB, CODE-15 %, CODE-test and SPH: who, what and which signal, in the publishers' layouts."""

import csv
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from cgdmer_jax.data.readers.found_records import find_recordings, name_of_recording
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.sources.ptb import patient_of
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.text.prompts import has_prompts, load_prompts
from cgdmer_jax.errors import CgdmerError
from tests.data.layouts import (
    unpacked,
    wave,
    write_code15,
    write_code_test,
    write_cpsc2018,
    write_csv,
    write_sph,
    write_wfdb,
)

CODE = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
STEP = 0.51  # half a microvolt, and what rounding to whole ones adds to a tie


def converted(name: str, root: Path, out: Path, **how):
    summary = convert(SOURCES[name](root, 100, False), out, **{"rate": 100, "seconds": 2, "progress": False} | how)
    return summary, open_store(out)


def of(source):
    return {record.record_id: record for record in source.records}


@pytest.fixture
def cpsc(shared_data, tmp_path):
    """The three real recordings at hand, with the labels that MERL's tables give them."""
    files = unpacked(shared_data / "cpsc2018-sample.tar.xz", tmp_path / "unpacked").glob("*.mat")
    return write_cpsc2018(tmp_path / "cpsc", files, {"A1980": (5,), "A1982": (2, 5), "A1983": (9,)})


@pytest.mark.shared_data
def test_cpsc2018_in_its_original_layout(cpsc, tmp_path):
    records = of(SOURCES["cpsc2018"](cpsc, 500, False))
    assert {name: record.labels["diagnosis"] for name, record in records.items()} == {
        "A1980": ("RBBB",),
        "A1982": ("AF", "RBBB"),
        "A1983": ("STE",),
    }
    _, store = converted("cpsc2018", cpsc, tmp_path / "store", rate=500, seconds=10)
    ours = store.read(np.arange(3)).astype(float)
    for place, file in enumerate(sorted(cpsc.rglob("*.mat"), key=lambda one: one.stem)):
        theirs = scipy.io.loadmat(file)["ECG"]["data"][0, 0][:, :5000] * 1000  # microvolts
        assert np.abs(ours[place] - theirs).max() <= STEP


@pytest.mark.shared_data
def test_cpsc2018_in_the_challenges_layout_has_the_same_classes(shared_data, tmp_path):
    root = unpacked(shared_data / "cinc2021-sample.tar.xz", tmp_path) / "WFDB_CPSC2018"
    source = SOURCES["cpsc2018"](root, 500, False)
    assert of(source)["A0001"].labels == {"diagnosis": ("RBBB",)}  # 59118001 in its header
    assert len(source.records) == 10 and all(record.labels["diagnosis"] for record in source.records)
    assert (of(source)["A0001"].age, of(source)["A0001"].sex) == (74.0, "male")


@pytest.mark.shared_data
def test_a_class_that_cpsc2018_does_not_have_names_its_cell(cpsc):
    with (cpsc / "REFERENCE.csv").open("a") as file:
        file.write("A1984,10,,\r\n")
    with pytest.raises(CgdmerError, match=r'REFERENCE\.csv: line 5, column "First_label": no class from 1 to 9'):
        SOURCES["cpsc2018"](cpsc, 500, False)


@pytest.fixture(scope="module")
def ludb(shared_data, tmp_path_factory):
    return unpacked(shared_data / "ludb-1.0.1.tar.xz", tmp_path_factory.mktemp("ludb"))


# The numbers of subjects that the publisher's README tells.
LUDB_README = {
    "rhythm": {"sinus rhythm": 143, "sinus tachycardia": 4, "sinus bradycardia": 25, "sinus arrhythmia": 8}
    | {"irregular sinus rhythm": 2, "atrial fibrillation": 15, "atrial flutter, typical": 3},
    "axis": {"normal": 75, "left axis deviation": 66, "vertical": 26, "horizontal": 20, "right axis deviation": 3},
    "conduction": {"sinoatrial blockade, undefined": 1, "i degree av block": 10, "iii degree av-block": 5}
    | {"incomplete right bundle branch block": 29, "incomplete left bundle branch block": 6}
    | {"left anterior hemiblock": 16, "complete right bundle branch block": 4}
    | {"complete left bundle branch block": 4, "non-specific intravintricular conduction delay": 4},
    "hypertrophy": {"right atrial hypertrophy": 1, "left atrial hypertrophy": 102, "right atrial overload": 17}
    | {"left atrial overload": 11, "left ventricular hypertrophy": 108, "right ventricular hypertrophy": 3}
    | {"left ventricular overload": 11},
    "repolarization": {"anterior wall": 18, "lateral wall": 13, "septal": 15, "inferior wall": 19}
    | {"posterior wall": 9, "apical": 11},
    "other": {"early repolarization syndrome": 9},
}


@pytest.mark.shared_data
@pytest.mark.parametrize("task", LUDB_README)
def test_subjects_of_ludb_are_counted_as_its_publisher_counts_them(ludb, task):
    source = SOURCES["ludb"](ludb, 500, False)
    counts = Counter(code for record in source.records for code in record.labels[task])
    assert {code: counts[code] for code in LUDB_README[task]} == LUDB_README[task]


@pytest.mark.shared_data
def test_all_200_subjects_of_ludb_are_converted_and_judged(ludb, tmp_path):
    summary, store = converted("ludb", ludb, tmp_path / "store", seconds=10)
    assert (summary.n_rows, summary.n_records, summary.rejected) == (200, 200, {})
    assert Counter(store.column("sex")) == {"male": 115, "female": 85}  # the publisher's figures
    assert store.labelled("conduction").all() and not store.labels("conduction").any(axis=1).all()
    assert len({*store.column("patient_id")}) == 200


@pytest.mark.shared_data
def test_limb_leads_of_ludb_contradict_each_other_because_each_gain_is_the_range_of_its_lead(ludb):
    """Read by hand: the integers agree with Einthoven and Goldberger, the header's millivolts do not."""
    for number in range(1, 201):
        lines = [line.split() for line in (ludb / f"data/{number}.hea").read_text().splitlines()[1:13]]
        digital = np.fromfile(ludb / f"data/{number}.dat", "<i2").reshape(-1, 12).T.astype(float)
        assert [int(line[2].partition("(")[0]) for line in lines] == np.ptp(digital, axis=1).tolist()
        assert [line[-1] for line in lines[:6]] == ["i", "ii", "iii", "avr", "avl", "avf"]
        one, two, three, *augmented = digital[:6]
        assert not (one + three - two).any()
        derived = np.stack([-(one + two) / 2, (one - three) / 2, (two + three) / 2])
        assert np.abs(augmented - derived).max() <= 1
    assert any("its own range" in remark for remark in SOURCES["ludb"](ludb, 500, False).remarks)


@pytest.mark.shared_data
def test_a_real_record_of_ptb_keeps_its_twelve_leads_and_its_diagnosis(shared_data, tmp_path):
    files = unpacked(shared_data / "ptbdb-s0010_re.tar.xz", tmp_path / "unpacked")
    shutil.copytree(files, tmp_path / "ptbdb" / "patient001")
    summary, store = converted("ptb", tmp_path / "ptbdb", tmp_path / "store", seconds=10)
    assert summary.extra_leads == {"vx": 1, "vy": 1, "vz": 1} and store.column("lead_mask").all()
    (record,) = SOURCES["ptb"](tmp_path / "ptbdb", 100, False).records
    assert (record.patient_id, record.age, record.sex) == ("patient001", 81.0, "female")
    assert record.labels == {"diagnosis": ("myocardial infarction",)}


@pytest.mark.parametrize(
    ("reason", "codes"),
    [
        ("Healthy control", ("healthy control",)),
        ("Heart failure (NYHA 2)", ("heart failure",)),
        ("Unstable angina", ("unstable angina",)),
        ("n/a", ()),
        ("Something else", ()),
    ],
)
def test_reasons_for_admission_to_ptb_are_classes(tmp_path, reason, codes):
    comments = ["# age: 81", "# sex: female", f"# Reason for admission: {reason}"]
    write_wfdb(tmp_path / "patient104" / "s0306lre", wave(1, 1000), 1000, comments=comments)
    (record,) = SOURCES["ptb"](tmp_path, 1000, False).records
    assert record.labels == {"diagnosis": codes}


def test_patients_of_ptb_are_its_folders():
    assert patient_of("ptbdb/patient001/s0010_re") == patient_of("patient001/s0014lre") == "patient001"
    assert patient_of("s0010_re") == "s0010_re"


def test_records_in_the_folders_of_ptbs_patients_are_each_found_once_and_of_one_patient_together(tmp_path):
    names = ["patient001/s0010_re", "patient001/s0014lre", "patient002/s0015lre", "deep/patient003/s0016lre"]
    for number, name in enumerate(names):
        write_wfdb(tmp_path / "root" / name, wave(number, 1000), 1000, comments=["# age: 81"])
    summary, store = converted("ptb", tmp_path / "root", tmp_path / "store")
    found = dict(zip(store.column("record_id"), store.column("patient_id"), strict=True))
    assert summary.rejected == {} and found == {Path(name).name: Path(name).parent.name for name in names}
    plain = find_recordings(tmp_path / "root")
    assert [name_of_recording(one, tmp_path / "root") for one in plain.recordings] == sorted(names)
    assert plain.n_left_out == 0


def test_a_file_name_that_is_no_utf_8_is_read_and_where_it_cannot_be_left_out_by_name(tmp_path):
    folder = tmp_path / "root" / "patient001"
    for number, name in enumerate((b"caf\xe9", b"caf\xea", b"plain")):
        write_wfdb(folder / "x", wave(number, 1000), 1000)
        header = (folder / "x.hea").read_bytes().replace(b"x.dat", name + b".dat")
        (folder / "x.hea").unlink()
        (folder / os.fsdecode(name + b".hea")).write_bytes(header)
        (folder / "x.dat").rename(folder / os.fsdecode(name + b".dat"))
    (folder / os.fsdecode(b"caf\xea.dat")).write_bytes(b"")
    summary, store = converted("ptb", tmp_path / "root", tmp_path / "store", rate=1000)
    assert sorted(store.column("record_id")) == ["caf\\udce9", "plain"] and summary.rejected == {"length": 1}
    assert r"record caf\udcea: " in (tmp_path / "store/rejected.csv").read_text()
    for number, row in zip((0, 2), store.column("row"), strict=True):
        np.testing.assert_array_equal(
            store.read(np.array([row]))[0], np.round(1000 * wave(number, 1000).astype(np.float64))
        )


@pytest.fixture
def code15(shared_data, tmp_path):
    """Ten real exams in the publisher's layout: two HDF5 files, ids in another order than the table's."""
    given = unpacked(shared_data / "code15-sample.tar.xz", tmp_path / "unpacked")
    with (given / "meta.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    columns = ("exam_id", "age", "is_male", "nn_predicted_age", *CODE, "patient_id", "death", "timey", "normal_ecg")
    exams = [
        {name: line[name] for name in columns} | {"trace_file": f"exams_part{k % 2}.hdf5"}
        for k, line in enumerate(lines)
    ]
    signals = {
        int(line["exam_id"]): scipy.io.loadmat(given / "org" / f"code_15_{line['exam_id']}.mat")["feats"]
        for line in lines
    }
    return write_code15(tmp_path / "code15", exams, signals), exams, signals


@pytest.mark.shared_data
def test_real_exams_of_code15_have_their_own_signal_and_labels(code15, tmp_path):
    root, exams, signals = code15
    summary, store = converted("code15", root, tmp_path / "store", rate=400, seconds=7)
    assert (summary.n_records, summary.rejected) == (10, {})
    for place, exam in enumerate(exams):
        ours = store.read(np.array([place]))[0].astype(float)
        theirs = signals[int(exam["exam_id"])].astype(float)[:, :2800] * 1000
        assert np.abs(ours - theirs).max() <= STEP
        labels = dict(
            zip(
                [label.code for label in store.classes("abnormalities")],
                store.labels("abnormalities")[place],
                strict=True,
            )
        )
        assert labels == {code: exam[code] == "True" for code in CODE}
    assert [*store.column("sex")] == ["male" if exam["is_male"] == "True" else "female" for exam in exams]
    assert [*store.column("patient_id")] == [exam["patient_id"] for exam in exams]


@pytest.mark.shared_data
def test_exams_of_files_that_are_not_there_are_left_out_on_request(code15, tmp_path):
    root, _, _ = code15
    (root / "exams_part1.hdf5").unlink()
    summary, store = converted("code15", root, tmp_path / "store", partial=True)
    assert summary.rejected == {"no_signal_file": 5} and store.n_records == 5


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("AF", "maybe", 'line 2, column "AF": neither true nor false'),
        ("patient_id", "", 'line 2, column "patient_id": no number'),
    ],
)
def test_a_damaged_line_of_code15_names_its_cell(tmp_path, column, value, words):
    exam = {"exam_id": 7, "age": 46, "is_male": "True", "patient_id": 3, "trace_file": "a.hdf5"} | dict.fromkeys(
        CODE, 0
    )
    write_csv(tmp_path / "exams.csv", [exam | {column: value}])
    with pytest.raises(CgdmerError, match=words):
        SOURCES["code15"](tmp_path, 400, False)


def test_code_test_joins_its_tables_by_place_and_is_all_test(tmp_path):
    signals = [wave(number, 400, 7.0) for number in range(3)]
    lines = [
        {"age": 60 + number, "sex": "MF"[number % 2]} | {code: int(k == number) for k, code in enumerate(CODE)}
        for number in range(3)
    ]
    root = write_code_test(tmp_path / "data", lines, signals)
    _, store = converted("code-test", root, tmp_path / "store", rate=400, seconds=7)
    assert {*store.column("fold")} == {10}
    assert np.array_equal(store.labels("abnormalities"), np.eye(3, 6, dtype=bool))
    assert [*store.column("sex")] == ["male", "female", "male"]
    for place, signal_mv in enumerate(signals):
        assert np.abs(store.read(np.array([place]))[0] - signal_mv * 1000).max() <= STEP
    write_csv(root / "attributes.csv", [{"age": 60, "sex": "M"}])
    with pytest.raises(CgdmerError, match="has 3 lines and attributes"):
        SOURCES["code-test"](root, 400, False)
    fewer = write_code_test(tmp_path / "fewer", lines, signals[:2])
    with pytest.raises(CgdmerError, match=r"holds 2 tracings and .*gold_standard\.csv has 3 lines"):
        SOURCES["code-test"](fewer, 400, False)


def test_a_code_test_whose_files_cannot_be_trusted_is_one_sentence(tmp_path):
    root = write_code_test(tmp_path / "data", [dict.fromkeys(("age", "sex", *CODE), 1)], [wave(1, 400, 7.0)])
    (root / "ecg_tracings.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(CgdmerError, match="is no HDF5, or a damaged one"):
        SOURCES["code-test"](root, 400, False)


def test_sph_has_primary_statements_without_their_modifiers(tmp_path):
    signals = [wave(number, 500) for number in range(3)]
    codes = ["1", "22;147+367", "50+346;60+310;106"]
    lines = [
        {"ECG_ID": f"A0000{k}", "AHA_Code": code, "Patient_ID": f"S0000{k // 2}", "Age": 55, "Sex": "M", "N": 1000}
        for k, code in enumerate(codes)
    ]
    root = write_sph(tmp_path / "sph", lines, signals)
    source = SOURCES["sph"](root, 500, False)
    assert [record.labels["aha"] for record in source.records] == [("1",), ("22", "147"), ("50", "60", "106")]
    assert source.records[0].fold == source.records[1].fold and len(source.tasks["aha"]) == 44
    _, store = converted("sph", root, tmp_path / "store", rate=500)
    for place, signal_mv in enumerate(signals):
        half = signal_mv.astype(np.float16).astype(float) * 1000
        assert np.abs(store.read(np.array([place]))[0] - half).max() <= STEP


@pytest.mark.parametrize("code", ["7", "22;;", "x", ""])
def test_a_statement_that_sph_does_not_have_names_its_cell(tmp_path, code):
    line = {"ECG_ID": "A00001", "AHA_Code": code, "Patient_ID": "S00001", "Age": 55, "Sex": "M"}
    write_csv(tmp_path / "metadata.csv", [line])
    with pytest.raises(CgdmerError, match=r'metadata\.csv: line 2, column "AHA_Code"'):
        SOURCES["sph"](tmp_path, 500, False)


@pytest.mark.parametrize("name", ["ludb", "code15", "sph", "cinc", "csn", "code-test", "cpsc2018", "ptb"])
def test_a_folder_of_something_else_is_one_sentence(tmp_path, name):
    with pytest.raises(CgdmerError, match="--root is the folder"):
        SOURCES[name](tmp_path, 500, False)


@pytest.mark.shared_data
def test_every_class_of_ludb_has_prompts_in_its_order(ludb):
    for task, classes in SOURCES["ludb"](ludb, 500, False).tasks.items():
        assert [*load_prompts("ludb")[task]] == [label.code for label in classes]


@pytest.mark.parametrize("name", sorted({*SOURCES} - {"mimic-iv-ecg", "mimic-iv-ecg-merl"}))
def test_every_collection_with_labels_has_prompts(name):
    assert has_prompts(name)
