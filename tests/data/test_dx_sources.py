"""Labels of SNOMED CT headers: the challenges' folders and Chapman-Shaoxing-Ningbo, against the published tables."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.readers.wfdb_facts import read_facts
from cgdmer_jax.data.sources import SOURCES, snomed_ct
from cgdmer_jax.data.sources.patient_facts import age_of, sex_of
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.layouts import unpacked, wave, write_wfdb


@pytest.fixture(scope="module")
def challenge(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """138 real records of seven source sets, and the challenge's tables."""
    return unpacked(shared_data / "cinc2021-sample.tar.xz", tmp_path_factory.mktemp("challenge"))


@pytest.fixture(scope="module")
def csn_root(challenge: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real Chapman and Ningbo records in the folders of ecg-arrhythmia 1.0.0."""
    root = tmp_path_factory.mktemp("csn") / "ecg-arrhythmia-1.0.0"
    for file in [*challenge.glob("WFDB_ChapmanShaoxing/*"), *challenge.glob("WFDB_Ningbo/*")]:
        number = int(file.stem.removeprefix("JS"))
        folder = root / "WFDBRecords" / f"{number // 1000:02}" / f"{number // 100:03}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / file.name)
    return root


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def header_of(root: Path, location: str) -> str:
    return (root / f"{location}.hea").read_text("latin-1")


def found_in(header: str, name: str) -> str:
    lines = re.findall(rf"(?m)^# ?{name}:(.*)$", header)
    return lines[0].strip()


@pytest.mark.shared_data
def test_the_classes_are_the_codes_of_the_published_tables_in_their_order(challenge):
    scored, unscored = (table(challenge / f"dx_mapping_{name}.csv") for name in ("scored", "unscored"))
    codes = [row["SNOMEDCTCode"] for row in [*scored, *unscored]]
    ours = [label.code for label in snomed_ct.TASKS["dx"]]
    assert ours[: len(codes)] == codes
    of_csn = {row["Snomed_CT"] for row in table(challenge / "ConditionNames_SNOMED-CT.csv")}
    assert set(ours) == {*codes, *of_csn}


@pytest.mark.shared_data
def test_scored_classes_are_the_columns_of_the_challenges_weights(challenge):
    with (challenge / "weights.csv").open(newline="") as opened:
        columns = next(csv.reader(opened))[1:]
    assert [label.code for label in snomed_ct.TASKS["scored"]] == columns


@pytest.mark.shared_data
def test_every_real_header_gives_exactly_its_codes_age_and_sex(challenge):
    source = SOURCES["cinc"](challenge, 500, False)
    assert len(source.records) == 138
    merged = {code: label.code for label in snomed_ct.TASKS["scored"] for code in label.code.split("|")}
    found = []
    for record in source.records:
        header = header_of(challenge, record.location)
        codes = {code.strip() for code in found_in(header, "Dx").split(",")} - {""}
        assert (record.labels["dx"] is None) == (not codes), "without a code nobody judged it"
        assert set(record.labels["dx"] or ()) == codes
        assert set(record.labels["scored"] or ()) == {merged[code] for code in codes if code in merged}
        assert record.sex == found_in(header, "Sex").lower()
        age = found_in(header, "Age")
        assert record.age == (None if age == "NaN" else float(age))
        found += codes
    assert len(set(found)) == 54 and len(found) == 299  # ../shared/data/README.md: 54 codes occur
    assert "3 headers name no code of Dx: these recordings are judged in no task" in source.remarks


@pytest.mark.shared_data
def test_a_recording_that_lies_there_twice_is_one_patient_in_one_fold(challenge):
    source = SOURCES["cinc"](challenge, 500, False)
    twice = [record for record in source.records if record.location.endswith("/E00001")]
    assert [record.record_id for record in twice] == ["WFDB_Ga/E00001", "header-variants/cinc2020/E00001"]
    assert len({(record.patient_id, record.fold) for record in twice}) == 1
    assert len({record.record_id for record in source.records}) == 138


@pytest.mark.shared_data
def test_labels_of_csn_are_those_of_merls_diagnoses_by_whole_acronyms(csn_root, challenge, shared_data, tmp_path):
    """MERL's tables name the diagnoses of 23,026 records; ours are compared wherever a sample is among them."""
    merl = unpacked(shared_data / "merl_data_split.tar.xz", tmp_path)
    code_of = {row["AcronymName"]: row["Snomed_CT"] for row in table(challenge / "ConditionNames_SNOMED-CT.csv")}
    diagnoses = {
        Path(row["ecg_path"]).stem: {code_of[acronym] for acronym in row["diagnose"].split(",")}
        for part in ("train", "val", "test")
        for row in table(merl / "chapman" / f"chapman_{part}.csv")
    }
    records = {record.record_id: record for record in SOURCES["csn"](csn_root, 500, False).records}
    compared = sorted(set(records) & set(diagnoses))
    assert len(records) == 40 and len(compared) > 10
    for name in compared:
        assert diagnoses[name] <= set(records[name].labels["dx"]), name


@pytest.mark.shared_data
def test_a_store_of_the_real_records_has_their_labels_and_says_what_was_cut(challenge, tmp_path):
    source = SOURCES["cinc"](challenge, 100, False)
    summary = convert(source, tmp_path / "store", rate=100, seconds=10, progress=False)
    assert (summary.n_rows, summary.n_records, summary.rejected) == (138, 138, {})
    store = open_store(tmp_path / "store")
    assert store.labels("dx").sum() == sum(len(record.labels["dx"] or ()) for record in source.records)
    assert store.labelled("scored").sum() == 135, "one with unscored codes alone is of none of the scored classes"
    assert store.labels("scored").any(axis=1).sum() < 135
    column = [label.code for label in store.classes("scored")].index("164889003")
    fibrillating = {record.record_id for record in source.records if "164889003" in (record.labels["dx"] or ())}
    assert {*np.array(store.column("record_id"))[store.labels("scored")[:, column]]} == fibrillating


@pytest.mark.parametrize(
    "comment", ["#Dx: 426783006,164889003", "# Dx: 426783006, 164889003", "#<dx>:426783006 ,164889003"]
)
def test_codes_are_read_however_the_comment_is_spaced(tmp_path, comment):
    write_wfdb(tmp_path / "A1", wave(1, 100), 100, comments=["#Age: 74", comment, "#Sex: Male"])
    (record,) = SOURCES["cinc"](tmp_path, 100, False).records
    assert set(record.labels["dx"]) == {"164889003", "426783006"}
    assert (record.age, record.sex, record.report) == (74.0, "male", "")


def test_codes_of_no_table_are_named_and_no_label(tmp_path):
    write_wfdb(tmp_path / "A1", wave(1, 100), 100, comments=["#Dx: 426783006,999999999,Erika Muster"])
    source = SOURCES["csn"](tmp_path, 100, False)
    assert source.records[0].labels["dx"] == ("426783006",)
    assert "Dx codes that are in no mapping table are left out (999999999 1 times, no code 1 times)" in source.remarks


def test_what_is_no_code_judges_nothing():
    assert set(snomed_ct.labels_of(["Unknown"]).values()) == {None}
    assert set(snomed_ct.labels_of(["Unknown", "999999999"]).values()) == {()}


def test_codes_that_the_challenge_takes_for_one_are_one_scored_class(tmp_path):
    labels = snomed_ct.labels_of(["713427006", "59118001", "55930002"])
    assert labels == {"scored": ("713427006|59118001",), "dx": ("713427006", "59118001", "55930002")}


def test_a_header_that_cannot_be_read_is_listed_and_rejected_with_its_reason(tmp_path):
    for name in ("A1", "A2", "A3"):
        write_wfdb(tmp_path / "in" / name, wave(1, 100), 100, comments=["#Dx: 426783006"])
    (tmp_path / "in" / "A2.hea").write_bytes(b"#" * 1_000_001)
    source = SOURCES["cinc"](tmp_path / "in", 100, False)
    assert [record.labels["dx"] for record in source.records] == [("426783006",), None, ("426783006",)]
    summary = convert(source, tmp_path / "store", rate=100, seconds=2, progress=False)
    assert summary.rejected == {"size": 1} and summary.n_records == 2


def test_a_folder_without_headers_is_refused(tmp_path):
    with pytest.raises(CgdmerError, match=r"no WFDB header \(\.hea\) is below"):
        SOURCES["cinc"](tmp_path, 500, False)


def test_facts_are_those_asked_for_and_no_other_comment(tmp_path):
    comments = ["# name: Jane Doe", "#<age>: 51", "#Dx: 1", "# Dx: 2", "# a line that says nothing", "#Sex:"]
    write_wfdb(tmp_path / "A1", wave(1, 100), 100, comments=comments)
    facts = read_facts(tmp_path / "A1", ("Age", "Sex", "Dx", "Hx"))
    assert facts == {"Age": "51", "Sex": "", "Dx": "1", "Hx": ""}


def test_facts_of_a_missing_header_are_a_record_error(tmp_path):
    with pytest.raises(RecordError, match="does not exist"):
        read_facts(tmp_path / "nothing", ("Age",))


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("74", 74.0),
        (" 0.5 ", 0.5),
        ("NaN", None),
        ("", None),
        (">89", None),
        ("300", None),
        ("-1", None),
        ("n/a", None),
    ],
)
def test_ages_are_years_or_unknown(text, years):
    assert age_of(text) == years


@pytest.mark.parametrize(
    ("text", "sex"),
    [("Male", "male"), ("F", "female"), ("female", "female"), ("Unknown", None), ("", None), ("x", None)],
)
def test_sexes_are_the_two_words_or_unknown(text, sex):
    assert sex_of(text) == sex
