"""Conversions that are refused: a request, a source or a folder that cannot be right."""

import fcntl
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.sources.source import SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.errors import CgdmerError
from tests.data.conversions import ROWS_PER_SHARD, SECONDS, run
from tests.data.ptbxl_root import line, write_root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("refused") / "root", [line(1), line(2)])


@pytest.mark.parametrize("sealed", [True, False])
def test_a_store_made_from_another_table_is_refused(tmp_path, sealed):
    out = tmp_path / "store"
    first = write_root(tmp_path / "first", [line(1)])
    if sealed:
        run(first, out)
    else:
        with pytest.raises(RuntimeError):
            convert(replace(open_source(first, 100), read=_stumble), out, rate=100, progress=False)
    second = write_root(tmp_path / "second", [line(1, report="other")])
    with pytest.raises(CgdmerError, match=r"begun from another list of records.*name another --out"):
        convert(open_source(second, 100), out, rate=100, seconds=SECONDS if sealed else 10, progress=False,
                rows_per_shard=ROWS_PER_SHARD if sealed else 1024)  # fmt: skip


def _stumble(record: SourceRecord) -> Recording:
    raise RuntimeError("a mistake of the program, not of the record")


def test_a_folder_of_something_else_is_not_written_to(root, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CgdmerError, match=r"holds files of something else.*name another --out"):
        run(root, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_output_that_cannot_be_written_is_told(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CgdmerError, match=r"cannot be written to .* \(Not a directory\); name another --out"):
        run(root, tmp_path / "file" / "store")


def test_a_full_disk_is_told_before_anything_is_written(root, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000))
    with pytest.raises(CgdmerError, match=r"needs 0\.0 GB and 0\.0 GB are free; free some or name another"):
        run(root, tmp_path / "store")


def test_two_conversions_into_one_folder_do_not_mix(root, tmp_path):
    (tmp_path / "store" / ".partial").mkdir(parents=True)
    with (tmp_path / "store" / ".partial" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CgdmerError, match=r"another conversion is writing to .*; wait"):
            run(root, tmp_path / "store")


def test_a_repeated_record_id_and_an_empty_source_are_refused(tmp_path):
    source = open_source(write_root(tmp_path / "root", [line(1), line(2)]), 100)
    with pytest.raises(CgdmerError, match=r"lists record 1 2 times; remove"):
        convert(replace(source, records=source.records[:1] * 2), tmp_path / "store", rate=100)
    with pytest.raises(CgdmerError, match=r"lists no records; look"):
        convert(replace(source, records=[]), tmp_path / "store", rate=100)
    assert not (tmp_path / "store").exists()


def test_a_patient_in_two_folds_is_refused_before_anything_is_written(tmp_path):
    lines = [line(2), line(3, strat_fold="9")]
    source = open_source(write_root(tmp_path / "root", lines), 100)
    with pytest.raises(CgdmerError, match=r"has a patient in folds 2 and 9"):
        convert(source, tmp_path / "store", rate=100)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("age", [-1.0, 150.5, float("inf"), float("nan")])
def test_an_age_that_nobody_has_is_refused_and_never_stored(tmp_path, age):
    source = open_source(write_root(tmp_path / "root", [line(1), line(2)]), 100)
    records = [replace(source.records[0], age=age), source.records[1]]
    with pytest.raises(CgdmerError, match=rf"gives record 1 the age {age}; give 0 to 150 years, or None"):
        convert(replace(source, records=records), tmp_path / "store", rate=100)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("patient", ["nan", "", " ", "None"])
def test_records_without_a_patient_are_not_taken_for_those_of_one(tmp_path, patient):
    source = open_source(write_root(tmp_path / "root", [line(1), line(2)]), 100)
    records = [replace(record, patient_id=patient, fold=1) for record in source.records]
    with pytest.raises(CgdmerError, match=r"lists record 1 without a patient; .*an id of its own"):
        convert(replace(source, records=records), tmp_path / "store", rate=100)
    assert not (tmp_path / "store").exists()


def test_an_unknown_filter_or_a_length_of_nothing_is_refused(root, tmp_path):
    with pytest.raises(CgdmerError, match=r'no filter "bandpas".*"bandpass_0.5_40"'):
        run(root, tmp_path / "store", filter="bandpas")
    lengths = [{"seconds": value} for value in (-1.0, 0.001, float("nan"), float("inf"), 1e30, 100_001.0)]
    for changes in ({"rate": 0}, {"rate": -100, "seconds": -2.0}, {"processes": 0}, *lengths):
        with pytest.raises(CgdmerError, match=r"must all be positive"):
            run(root, tmp_path / "store", **changes)


def test_a_shard_that_no_memory_holds_is_refused_before_anything_is_read(root, tmp_path, monkeypatch):
    monkeypatch.setattr("cgdmer_jax.data.store.convert.MOST_SHARD_BYTES", 100_000)
    with pytest.raises(CgdmerError, match=r"records of 100 s at 100 Hz make shards of .* GB.*give fewer seconds"):
        run(root, tmp_path / "store", seconds=100.0, rows_per_shard=1024)
    assert not (tmp_path / "store").exists()
