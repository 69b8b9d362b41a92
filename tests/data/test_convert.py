"""Conversion: equal bytes however it ran, bad records aside, and no half-finished store ever opens."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import wfdb

from cgdmer_jax.contract import InputContract, TrainedOn, prepare
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.conversions import ROWS_PER_SHARD, SECONDS, digests, run
from tests.data.ptbxl_root import line, samples, write_root
from tests.full_disk import files_of_at_most

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 records in 19 shards; three of them bad, each in its own way."""
    root = write_root(tmp_path_factory.mktemp("convert") / "root", [line(n) for n in range(600)])
    folder = root / "records100" / "00000"
    (folder / "00007_lr.dat").unlink()
    content = bytearray((folder / "00040_lr.dat").read_bytes())
    content[500] ^= 1
    (folder / "00040_lr.dat").write_bytes(content)
    (folder / "00041_lr.dat").write_bytes(bytes(content[:-24]))
    return root


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `root`, made by one process without interruption."""
    out = tmp_path_factory.mktemp("whole") / "store"
    summary = run(root, out)
    assert summary.n_rows == summary.n_converted == 600 and summary.n_records == 597
    return out


def test_stored_microvolts_are_those_wfdb_reads(root, whole):
    store = open_store(whole)
    for row in (0, 33, 599):
        oracle = wfdb.rdrecord(str(root / line(row)["filename_lr"])).p_signal.T * 1000
        np.testing.assert_array_equal(store.read(np.array([row]))[0], np.rint(oracle))


def test_resampled_microvolts_are_those_of_resample_poly(tmp_path):
    root = write_root(tmp_path / "root", [line(1)], rates=(500,))
    convert(open_source(root, 100), tmp_path / "store", rate=100, seconds=SECONDS, progress=False)
    store = open_store(tmp_path / "store")
    oracle = scipy.signal.resample_poly(samples(1, 500, SECONDS).T.astype(float), 1, 5, axis=1)
    inner = slice(20, -20)  # the ends depend on what is assumed outside the recording
    np.testing.assert_allclose(store.read(np.array([0]))[0, :, inner], oracle[:, inner], atol=1.0)
    assert store.info["source"]["rate"] == 500 and store.rate == 100
    assert "resampled" in store.info["remarks"][0]


def test_shorter_recordings_are_padded_and_longer_ones_cropped(tmp_path):
    root = write_root(tmp_path / "root", [line(1)])
    for seconds, valid in [(3.0, 200), (1.5, 150)]:
        out = tmp_path / f"store{seconds}"
        run(root, out, seconds=seconds)
        store = open_store(out)
        signal_uv = store.read(np.array([0]))[0]
        assert store.column("valid_length").tolist() == [valid]
        told = ["1 record is longer than 1.5 s (1); its first 1.5 s are kept"] if seconds < SECONDS else []
        assert store.info["remarks"] == told == run(root, out, seconds=seconds).remarks
        assert signal_uv.shape == (12, round(100 * seconds))
        np.testing.assert_array_equal(signal_uv[:, :valid], samples(1, 100, SECONDS).T[:, :valid])
        assert not signal_uv[:, valid:].any()


@pytest.mark.shared_data
def test_preparing_a_recording_equals_its_conversion_for_the_40_real_ones_at_500_hz(shared_data, tmp_path):
    for archive in ("ptb-xl-500hz-sample.tar.xz", "ptb-xl-metadata.tar.xz"):
        with tarfile.open(shared_data / archive) as file:
            file.extractall(tmp_path, filter="data")
    (tmp_path / "ptb-xl-metadata" / "records500").symlink_to(tmp_path / "ptb-xl" / "records500")
    source = open_source(tmp_path / "ptb-xl-metadata", 500, follow_links=True)
    present = [r for r in source.records if (tmp_path / "ptb-xl" / f"{r.location}.hea").is_file()]
    assert len(present) == 40
    source = replace(source, records=present)
    for rate, name in [(100, "none"), (500, "none"), (100, "bandpass_0.5_40")]:
        out = tmp_path / f"{rate}-{name}"
        convert(source, out, rate=rate, filter=name, progress=False)
        stored = open_store(out).read(np.arange(40))
        contract = InputContract(
            rate=float(rate), seconds=10.0, unit="uV int16", leads=tuple(open_store(out).info["leads"]),
            filter=name, scaling="record_std", cleaning_version="1", tokenizer_sha256="0" * 64,
            trained_on=(TrainedOn("ptbxl", "0" * 64, (), ()),),
        )  # fmt: skip
        for row, record in enumerate(present):
            recording = source.read(record)
            prepared = prepare(contract, recording.signal_mv, recording.rate, recording.names, "mV")
            np.testing.assert_array_equal(prepared.signal, stored[row])


def test_bad_records_are_set_aside_with_the_reason_and_leave_zeros(whole):
    store = open_store(whole)
    assert store.info["rejected"] == {"checksum": 1, "length": 1, "no_signal_file": 1}
    with (whole / "rejected.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [(r["row"], r["record_id"], r["problem"]) for r in rejected] == [
        ("7", "7", "no_signal_file"),
        ("40", "40", "checksum"),
        ("41", "41", "length"),
    ]
    assert all(r["reason"].startswith(f"record 000{r['row']:0>2}_lr: ") for r in rejected)
    assert not store.read(np.array([7, 40, 41])).any()
    assert not {7, 40, 41} & set(store.column("row").tolist())


def test_the_number_of_processes_and_the_place_of_the_files_change_no_byte(root, whole, tmp_path):
    moved = shutil.copytree(root, tmp_path / "elsewhere")
    run(moved, tmp_path / "store", processes=2)
    assert digests(tmp_path / "store") == digests(whole)


@pytest.mark.parametrize("processes", [1, 2])
def test_after_kill_9_the_same_command_continues_to_the_same_bytes(root, whole, tmp_path, processes):
    out = tmp_path / "store"
    words = ["-m", "tests.data.killed_conversion", str(root), str(out), str(processes)]
    child = subprocess.Popen([sys.executable, *words], cwd=ROOT, start_new_session=True)
    assert child.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 1800
    while _running(child.pid):
        assert time.monotonic() < deadline, "workers outlive the command that was killed"
        time.sleep(0.02)
    n_done = len(list((out / ".partial").glob("shard-*.json")))
    assert 3 <= n_done <= 6
    with pytest.raises(CgdmerError, match=r"its conversion was not finished"):
        open_store(out)
    (out / "signal/c/18/0").mkdir(parents=True, exist_ok=True)
    (out / "signal/c/18/0/0.__lock").write_bytes(b"half")  # what TensorStore leaves when killed in a write
    (out / "signal/c/18/0/0").write_bytes(b"half")
    (out / "records.parquet.7.unfinished").write_bytes(b"half")  # and what a kill while sealing leaves
    summary = run(root, out, processes=3 - processes)
    assert 0 < summary.n_converted <= 600 - ROWS_PER_SHARD * (n_done - 1)
    assert digests(out) == digests(whole)


def _running(group: int) -> list[str]:
    """Processes of the group that are more than a remainder nobody collected (Linux: proc(5))."""
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
        if int(process_group) == group and state not in "ZX":
            states.append(stat.parent.name)
    return states


def test_a_finished_store_is_left_as_it_is(root, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "store")
    (out / ".partial").mkdir()  # the kill came between the seal and the end
    (out / ".partial" / "shard-000000.json").write_text("{}")
    summary = run(root, out)
    assert summary.n_converted == 0 and summary.n_records == 597
    assert summary.rejected == {"checksum": 1, "length": 1, "no_signal_file": 1}
    assert digests(out) == digests(whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": 50}, "begun with --rate=100.0, this command has 50.0"),
        ({"seconds": 1.0}, "begun with --seconds=2.0, this command has 1.0"),
        ({"filter": "bandpass_0.5_40"}, "begun with --filter=none, this command has bandpass_0.5_40"),
    ],
)
def test_a_store_made_with_other_settings_is_refused(root, whole, changes, words):
    before = digests(whole)
    with pytest.raises(CgdmerError, match=words):
        run(root, whole, **changes)
    assert digests(whole) == before


def test_a_disk_that_fills_up_in_the_middle_of_a_shard_is_told_and_the_same_command_then_continues(
    root, whole, tmp_path
):
    """The shards have 153,600 bytes."""
    with files_of_at_most(100_000), pytest.raises(CgdmerError, match=r"shard 0 of .* \(File too large\);.*continues"):
        run(root, tmp_path / "store")
    with pytest.raises(CgdmerError):
        open_store(tmp_path / "store")
    run(root, tmp_path / "store")
    assert digests(tmp_path / "store") == digests(whole)


def test_when_no_record_can_be_read_nothing_is_kept_and_the_next_run_reads_them_again(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2)])
    (root / "records100").rename(tmp_path / "aside")
    (root / "records100").mkdir()
    with pytest.raises(CgdmerError, match=r"none of the 2 records of ptbxl could be converted; the first: "):
        run(root, tmp_path / "store")
    (root / "records100").rmdir()
    (tmp_path / "aside").rename(root / "records100")
    assert run(root, tmp_path / "store").n_records == 2


def test_a_worker_that_dies_is_told_and_the_finished_shards_are_kept(tmp_path):
    root = write_root(tmp_path / "root", [line(n) for n in range(8)])
    source = open_source(root, 100)
    settings = {"rate": 100, "seconds": SECONDS, "progress": False, "rows_per_shard": 2}
    dying = replace(source, read=partial(_read_or_die, root))
    with pytest.raises(CgdmerError, match=r"a worker .* was killed.*the same command again"):
        convert(dying, tmp_path / "store", processes=2, **settings)
    summary = convert(source, tmp_path / "store", **settings)
    assert summary.n_records == 8


def _read_or_die(root: Path, record: SourceRecord) -> Recording:
    if record.record_id == "7":
        os._exit(137)
    return read_wfdb(root / record.location)


def test_an_absent_lead_is_marked_and_stored_as_zeros(tmp_path):
    def read(record: SourceRecord) -> Recording:
        signal_mv = samples(1, 100, SECONDS).T.astype(np.float32) / 1000
        signal_mv[4] = np.nan
        signal_mv[9, 50:54] = np.nan
        return Recording(signal_mv, 100.0, tuple("I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()), "x")

    record = SourceRecord("x", "p", 1, "sinus rhythm", None, None, None, {"t": ()}, "x")
    source = Source("synthetic", "none", "none", [record], {"t": (LabelClass("A", "a"),)}, read, {}, 100.0)
    convert(source, tmp_path / "store", rate=100, seconds=SECONDS, progress=False)
    store = open_store(tmp_path / "store")
    assert np.flatnonzero(~store.column("lead_mask")[0]).tolist() == [4]
    assert 9 in np.flatnonzero(store.column("lead_flagged")[0])
    assert store.column("samples_filled").tolist() == [4]
    assert not store.read(np.array([0]))[0, 4].any()
    assert store.labels("t").tolist() == [[False]]
