"""Recordings longer than the store's window: the first seconds, the central ones, or a record for each window."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.remarks import longer_remarks
from cgdmer_jax.data.store.shard_writer import ShardJob
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.conversions import digests
from tests.data.small_stores import rewrite_info

RATE, SECONDS = 100, 2.0
LENGTHS = {"short": 150, "exact": 200, "long": 450, "odd": 675}  # samples
reads = []


def ramp(length):
    """Microvolts: each sample says where it stands."""
    return 100.0 + 2.0 * np.arange(length)


def read(unreadable, record):
    reads.append(record.location)
    if record.record_id == unreadable:
        raise RecordError(f"folder/{record.location}", "gain", "gain", "its gain is 0; correct the header")
    signal_mv = np.tile(ramp(LENGTHS[record.location]) / 1000, (len(LEADS), 1)).astype(np.float32)
    return Recording(signal_mv, float(RATE), LEADS, record.location)


def source(unreadable=None):
    records = [
        SourceRecord(name, f"patient of {name}", 1, f"report of {name}", 50.0, None, None, {"task": ("A",)}, name)
        for name in LENGTHS
    ]
    tasks = {"task": (LabelClass("A", "a"),)}
    return Source("synthetic", "none", "none", records, tasks, partial(read, unreadable), {}, float(RATE))


def converted(out, which, unreadable=None, **more):
    settings = {"rate": RATE, "seconds": SECONDS, "progress": False, "windows": which}
    return convert(source(unreadable), out, **settings | more), open_store(out)


def starts(store):
    """Record -> sample of the recording with which its first lead begins."""
    signal = store.read(np.arange(store.n_records))
    return {name: (int(first[0, 0]) - 100) // 2 for name, first in zip(store.column("record_id"), signal, strict=True)}


def test_of_a_longer_recording_the_first_or_the_central_seconds_are_kept_and_that_is_told(tmp_path):
    summary, store = converted(tmp_path / "first", "first")
    assert starts(store) == {"short": 0, "exact": 0, "long": 0, "odd": 0}
    assert summary.remarks == ["2 records are longer than 2 s (long, odd); their first 2 s are kept"]
    summary, store = converted(tmp_path / "centre", "centre")
    assert starts(store) == {"short": 0, "exact": 0, "long": 125, "odd": 237}
    assert summary.remarks == ["2 records are longer than 2 s (long, odd); their central 2 s are kept"]


def test_all_windows_are_records_of_their_recordings_patient_report_and_labels(tmp_path):
    summary, store = converted(tmp_path / "all", "all")
    # "long" has 50 samples after its second window, too few for a record; "odd" has 75, too few as well.
    assert starts(store) == {
        **{"short": 0, "exact": 0, "long@0s": 0, "long@2s": 200},
        **{"odd@0s": 0, "odd@2s": 200, "odd@4s": 400},
    }
    assert list(store.column("patient_id")) == [
        f"patient of {n}" for n in ("short", "exact", *["long"] * 2, *["odd"] * 3)
    ]
    assert sorted(store.texts) == sorted({"report of short", "report of exact", "report of long", "report of odd"})
    assert summary.remarks == [
        "2 recordings are longer than 2 s (long, odd) and became one record for each window; the last part of 2 of "
        "them (long, odd) is too short for a window and is not used"
    ]


def test_all_windows_have_the_same_bytes_from_two_processes_as_from_one(tmp_path):
    converted(tmp_path / "one", "all", rows_per_shard=2)
    converted(tmp_path / "two", "all", rows_per_shard=2, processes=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_the_windows_of_a_recording_are_cut_from_one_reading(tmp_path):
    reads.clear()
    converted(tmp_path / "all", "all")
    assert reads.count("odd") == 2  # once to know its length, once for its three windows


def test_a_recording_that_cannot_be_read_is_one_rejected_record(tmp_path):
    summary, store = converted(tmp_path / "all", "all", unreadable="long")
    assert summary.rejected == {"gain": 1} and "long" not in store.column("record_id")
    assert summary.n_records == 5


def test_a_recording_that_can_be_read_only_after_its_windows_were_counted_is_not_cut_in_silence(tmp_path):
    tried = []

    def sometimes(record):
        if record.record_id == "long" and not tried:
            tried.append(record)
            raise RecordError("folder/long", "file name", "unreadable", "the disk is busy; try again")
        return read(None, record)

    summary = convert(
        replace(source(), read=sometimes), tmp_path, rate=RATE, seconds=SECONDS, windows="all", partial=True
    )
    assert (
        summary.rejected == {"unreadable": 1}
        and "when its windows were counted" in (tmp_path / "rejected.csv").read_text()
    )


def test_a_recording_that_is_gone_when_the_command_is_repeated_is_named_and_to_be_brought_back(tmp_path):
    converted(tmp_path, "all")
    with pytest.raises(CgdmerError, match=r"of 1 recordings \(odd\) cannot be counted.*bring them back and run"):
        converted(tmp_path, "all", unreadable="odd")
    assert converted(tmp_path, "all")[0].n_converted == 0


def test_a_recording_that_has_come_back_is_told_as_windows_that_differ(tmp_path):
    converted(tmp_path, "all", unreadable="odd")
    with pytest.raises(CgdmerError, match=r"another list of records or of windows .*then can be read now"):
        converted(tmp_path, "all")


def test_recordings_are_measured_in_as_many_processes_as_convert(tmp_path):
    reads.clear()
    converted(tmp_path, "all", processes=2)
    assert not reads  # in this process


def test_of_many_recordings_that_are_cut_the_first_are_named():
    job = ShardJob(Path("out"), 100.0, SECONDS, "none", False, 8, 8, read)
    records = [replace(source().records[0], record_id=f"r{n}") for n in range(8)]
    notes = [{"longer": n % 2 == 0} for n in range(8)]
    (told,) = longer_remarks(records, notes, job)
    assert told == "4 records are longer than 2 s (such as r0, r2, r4); their first 2 s are kept"


def test_a_store_knows_how_many_were_cut_and_its_fingerprint_does_not(tmp_path):
    (_, first), (_, every) = converted(tmp_path / "first", "first"), converted(tmp_path / "all", "all")
    assert first.info["n_longer"] == 2 and "n_longer" not in every.info
    rewrite_info(str(tmp_path / "first"), n_longer=3)
    assert open_store(tmp_path / "first").fingerprint == first.fingerprint


def test_ids_that_windows_make_equal_are_refused(tmp_path):
    records = [*source().records, replace(source().records[0], record_id="long@2s")]
    with pytest.raises(CgdmerError, match="lists record long@2s 2 times"):
        convert(replace(source(), records=records), tmp_path, rate=RATE, seconds=SECONDS, windows="all")


def test_a_store_goes_on_with_its_own_windows_alone(tmp_path):
    converted(tmp_path / "store", "centre")
    with pytest.raises(CgdmerError, match="begun with --windows=centre, this command has first"):
        converted(tmp_path / "store", "first")
    with pytest.raises(CgdmerError, match='there are no windows "last"'):
        converted(tmp_path / "other", "last")
