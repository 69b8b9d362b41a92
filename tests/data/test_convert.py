"""Conversion: equal bytes however it ran, bad records aside, and no half-finished store ever opens."""

import csv
import fcntl
import hashlib
import json
import os
import shlex
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

from cgdmer_jax.commands.convert import main
from cgdmer_jax.contract import InputContract, TrainedOn, prepare
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import Summary, convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from tests.data.ptbxl_root import line, samples, write_root
from tests.full_disk import files_of_at_most

ROOT = Path(__file__).parents[2]
ROWS_PER_SHARD = 32
SECONDS = 2.0


def run(root: Path, out: Path, **changes: object) -> Summary:
    settings = {"rate": 100, "seconds": SECONDS, "progress": False, "rows_per_shard": ROWS_PER_SHARD}
    return convert(open_source(root, 100), out, **settings | changes)


def digests(store: Path) -> dict[str, str]:
    """sha256 of every file of the store."""
    files = [path for path in store.rglob("*") if path.is_file()]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


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
        told = ["1 records are longer than 1.5 s; their first 1.5 s are kept"] if seconds < SECONDS else []
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
        ({"rate": 50}, "begun with rate 100.0, this command has 50.0"),
        ({"seconds": 1.0}, "begun with seconds 2.0, this command has 1.0"),
        ({"filter": "bandpass_0.5_40"}, "begun with filter none, this command has bandpass_0.5_40"),
    ],
)
def test_a_store_made_with_other_settings_is_refused(root, whole, changes, words):
    before = digests(whole)
    with pytest.raises(CgdmerError, match=words):
        run(root, whole, **changes)
    assert digests(whole) == before


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
    with pytest.raises(CgdmerError, match=r"begun with source_fingerprint .*name another --out"):
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
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(CgdmerError, match=r"needs 0\.0 GB and 0\.0 GB are free; free some or name another"):
        run(root, tmp_path / "store")


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


@pytest.mark.parametrize("patient", ["nan", "", " ", "None"])
def test_records_without_a_patient_are_not_taken_for_those_of_one(tmp_path, patient):
    source = open_source(write_root(tmp_path / "root", [line(1), line(2)]), 100)
    records = [replace(record, patient_id=patient, fold=1) for record in source.records]
    with pytest.raises(CgdmerError, match=r"lists record 1 without a patient; .*an id of its own"):
        convert(replace(source, records=records), tmp_path / "store", rate=100)
    assert not (tmp_path / "store").exists()


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


def test_an_unknown_filter_or_a_length_of_nothing_is_refused(root, tmp_path):
    with pytest.raises(CgdmerError, match=r'no filter "bandpas".*"bandpass_0.5_40"'):
        run(root, tmp_path / "store", filter="bandpas")
    lengths = [{"seconds": value} for value in (-1.0, 0.001, float("nan"), float("inf"), 1e30, 100_001.0)]
    for changes in ({"rate": 0}, {"rate": -100, "seconds": -2.0}, {"processes": 0}, *lengths):
        with pytest.raises(CgdmerError, match=r"must all be positive"):
            run(root, tmp_path / "store", **changes)


def test_a_shard_that_no_memory_holds_is_refused_before_anything_is_read(root, tmp_path, monkeypatch):
    monkeypatch.setattr("cgdmer_jax.data.store.convert.MOST_SHARD_BYTES", 1_000_000)
    with pytest.raises(CgdmerError, match=r"records of 100 s at 100 Hz make shards of .* GB.*give fewer seconds"):
        run(root, tmp_path / "store", seconds=100.0, rows_per_shard=1024)
    assert not (tmp_path / "store").exists()


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


def test_the_command_prints_counts_reasons_and_remarks(tmp_path, capsys):
    root = write_root(tmp_path / "root", [line(1), line(2), line(3)])
    (root / line(2)["filename_lr"]).with_suffix(".hea").unlink()
    table = (root / "ptbxl_database.csv").read_text().splitlines(keepends=True)
    (root / "ptbxl_database.csv").write_text("".join(table[:-1]))  # without record 3
    arguments = ["--source=ptbxl", f"--root={root}", f"--out={tmp_path / 'store'}", "--seconds=2"]
    assert main([*arguments, "--processes=1"]) == 0
    printed = capsys.readouterr().out
    assert "1 records in 2 rows, 1 rejected" in printed and "no_header: 1 (see rejected.csv)" in printed
    assert "1 recordings in records100 are not in ptbxl_database.csv" in printed
    assert "2 records converted in" in printed and "records/s" in printed
    assert main([*arguments, "--processes=1"]) == 0
    assert "it is complete and its bytes agree with its seal; nothing was converted" in capsys.readouterr().out


def test_the_command_on_a_finished_store_names_the_file_whose_bytes_differ(tmp_path, capsys):
    arguments = ["--source=synthetic", "--records=6", "--processes=1", f"--out={tmp_path / 'store'}"]
    assert main(arguments) == 0
    shard = tmp_path / "store" / "signal/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1  # not in the first record, which opening compares
    shard.write_bytes(content)
    capsys.readouterr()
    with pytest.raises(CgdmerError, match=r"signal/c/0/0/0 of store synthetic differs from the seal's sha256"):
        main(arguments)
    assert "complete" not in capsys.readouterr().out


def test_the_command_writes_what_it_measured_where_figures_says(tmp_path):
    root = write_root(tmp_path / "root", [line(1), line(2), line(3)])
    (root / line(2)["filename_lr"]).with_suffix(".hea").unlink()
    words = ["-m", "experiments.convert", "--source=ptbxl", f"--root={root}", f"--out={tmp_path / 'store'}",
             "--seconds=2", "--processes=1", f"--figures={tmp_path / 'new' / 'convert.json'}"]  # fmt: skip
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    document = json.loads((tmp_path / "new" / "convert.json").read_text())
    told = ["--root=.../root", "--out=.../store", "--seconds=2", "--processes=1", "--figures=.../convert.json"]
    assert document["command"] == shlex.join(["python", *words[:3], *told])
    assert document["environment"]["cpus"] >= 1
    (row,) = document["rows"]
    assert (row["store"], row["rows"], row["records"], row["converted"]) == ("store", 3, 2, 3)
    assert row["rejected"] == {"no_header": 1} and row["seconds"] > 0
    assert row["records_per_second"] == pytest.approx(3 / row["seconds"], rel=0.2)


def test_a_users_mistake_is_one_sentence(tmp_path):
    out = f"--out={tmp_path / 'store'}"
    with pytest.raises(CgdmerError, match=r'^unknown source "ptbxxl"\. Did you mean "ptbxl"\?$'):
        main(["--source=ptbxxl", "--root=x", out])
    with pytest.raises(CgdmerError, match=r"^source ptbxl is read from a folder; name it with --root$"):
        main(["--source=ptbxl", out])


def test_the_command_converts_the_synthetic_collection(tmp_path):
    arguments = ["--source=synthetic", "--records=6", "--seed=3", "--rate=100", "--processes=1"]
    assert main([*arguments, f"--out={tmp_path / 'store'}"]) == 0
    info = json.loads((tmp_path / "store" / "dataset.json").read_text())
    assert (info["name"], info["n_rows"], info["n_samples"]) == ("synthetic", 6, 1000)
