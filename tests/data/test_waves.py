"""Marked waves from the recording to the store and to the classes of every sample in a batch."""

import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import sequential_batches
from cgdmer_jax.data.readers.recording import MarkedWaves, Recording, Wave
from cgdmer_jax.data.readers.wfdb_annotations import read_marks
from cgdmer_jax.data.record_columns import with_record_columns
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.shard_notes import PARTIAL
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.store.store_info import sealed_info
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.conversions import digests
from tests.data.layouts import unpacked
from tests.data.small_stores import write_store

RATE, LENGTH = 500, 2500
WAVES = (
    Wave(1, 0, 300, None, 2399),
    Wave(1, 1, 300, 350, 399),
    Wave(1, 2, 900, 950, 1099),
    Wave(1, 3, 2200, 2300, 2399),
)
LEAD_II = np.full(LENGTH, -1)
for first, last, number in ((300, 2399, 0), (300, 399, 1), (900, 1099, 2), (2200, 2399, 3)):
    LEAD_II[first : last + 1] = number


def read(n_left_out, record):
    ramp_mv = (100.0 + np.arange(LENGTH)) / 1000 * (record.location != "flat")
    waves = MarkedWaves(WAVES, n_left_out, ("record r: r.v1 ends before the mark of its end",) * n_left_out)
    return Recording(np.tile(ramp_mv, (12, 1)).astype(np.float32), float(RATE), LEADS, record.location, waves=waves)


def marked(out, rate=RATE, seconds=5, n_left_out=0, windows="first", **how):
    records = [SourceRecord(name, name, 1, "", None, None, None, {"task": ("A",)}, name) for name in ("a", "flat", "b")]
    tasks = {"task": (LabelClass("A", "a"),)}
    source = Source("ludb", "none", "none", records, tasks, partial(read, n_left_out), {}, float(RATE), waves=True)
    summary = convert(source, out, rate=rate, seconds=seconds, windows=windows, progress=False, **how)
    return summary, open_store(out)


def classes_of(*paths):
    return with_record_columns(open_corpus([str(path) for path in paths]), ("waves",)).record_columns["waves"]


def lead_ii(path):
    """Classes by record of lead II; the others are not annotated."""
    column = classes_of(path)
    dense = column[np.arange(column.shape[0])]
    assert dense.dtype == column.dtype and dense.shape == column.shape
    assert (np.delete(dense, 1, axis=1) == -1).all()
    return dense[:, 1]


def test_each_sample_has_the_class_of_its_wave_and_a_rejected_record_none(tmp_path):
    summary, store = marked(tmp_path / "store")
    assert list(store.column("row")) == [0, 2]
    np.testing.assert_array_equal(lead_ii(tmp_path / "store"), [LEAD_II, LEAD_II])
    assert store.waves.slice(0, 4).to_pylist()[1] == {
        **{"row": 0, "lead": 1, "wave": 1},
        **{"onset": 300, "peak": 350, "offset": 399},
    }
    assert summary.remarks == ["waves marked in 2 records are in waves.parquet: 2 P, 2 QRS, 2 T"]


@pytest.mark.parametrize("rate", [100, 250, 257, 1000])
def test_at_another_rate_every_mark_is_within_a_sample_of_its_time(tmp_path, rate):
    _, store = marked(tmp_path / "store", rate)
    for name in ("onset", "peak", "offset"):
        times_s = [getattr(wave, name) / RATE for wave in WAVES if getattr(wave, name) is not None]
        found = store.waves.filter(pa.compute.equal(store.waves["row"], 2))[name].drop_null().to_numpy()
        assert np.abs(found - np.array(times_s) * rate).max() <= 0.5
    ours = lead_ii(tmp_path / "store")[0]
    edges_s = np.flatnonzero(np.diff(LEAD_II)) / RATE
    assert np.abs(np.flatnonzero(np.diff(ours)) / rate - edges_s).max() <= 1 / rate + 1 / RATE


def test_windows_move_the_marks_and_what_a_window_cuts_keeps_its_own_edges(tmp_path):
    _, store = marked(tmp_path / "first", seconds=2)
    np.testing.assert_array_equal(lead_ii(tmp_path / "first")[0], LEAD_II[:1000])
    qrs = store.waves.filter(pa.compute.equal(store.waves["wave"], 2)).slice(0, 1).to_pylist()[0]
    assert (qrs["onset"], qrs["peak"], qrs["offset"]) == (900, 950, 1099)
    marked(tmp_path / "centre", seconds=2, windows="centre")
    np.testing.assert_array_equal(lead_ii(tmp_path / "centre")[0], LEAD_II[750:1750])
    _, store = marked(tmp_path / "all", seconds=2, windows="all")
    padded = np.append(LEAD_II[2000:], np.full(500, -1))
    assert list(store.column("record_id")) == [f"{name}@{second}s" for name in "ab" for second in (0, 2, 4)]
    np.testing.assert_array_equal(lead_ii(tmp_path / "all"), [LEAD_II[:1000], LEAD_II[1000:2000], padded] * 2)


@pytest.mark.parametrize("windows", ["first", "all"])
def test_what_was_left_out_is_told_once_a_recording(tmp_path, windows):
    summary, _ = marked(tmp_path / "store", seconds=2, n_left_out=1, windows=windows)
    assert any(remark.startswith("2 marks belong to no whole wave") for remark in summary.remarks)
    assert (
        "the marks of 2 leads cannot be read and were left out (the first: record r: r.v1 ends before the mark of its "
        "end)"
    ) in summary.remarks


def test_two_processes_and_a_conversion_that_continues_write_the_same_bytes(tmp_path):
    marked(tmp_path / "one", rows_per_shard=1)
    marked(tmp_path / "two", rows_per_shard=1, processes=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert "waves.parquet" in digests(tmp_path / "one") and not (tmp_path / "one" / PARTIAL).exists()


def test_a_batch_holds_the_classes_of_its_records_those_of_a_store_without_marks_are_not_annotated(tmp_path):
    marked(tmp_path / "marked", 100, 1.2)
    other = write_store(tmp_path / "other", ["a", "b", "c"])
    corpus = with_record_columns(open_corpus([other, str(tmp_path / "marked")]), ("waves",))
    tokens = np.zeros((len(corpus.texts), 4), np.int32)
    lines = np.array([4, 0, 3])
    ((batch, _),) = sequential_batches(corpus, lines, tokens, tokens > 0, 3)
    found = batch.check().record_columns["waves"]
    assert found.shape == (3, 12, 120) and (found[1] == -1).all()
    np.testing.assert_array_equal(found[2], classes_of(tmp_path / "marked")[np.array([0])][0])
    assert set(found[0, 1]) == {-1, 0, 1}


def test_a_store_without_marks_has_no_table_and_says_so(tmp_path):
    other = write_store(tmp_path / "other", ["a", "b", "c"])
    assert open_store(other).waves is None and "waves.parquet" not in digests(tmp_path / "other")
    with pytest.raises(CgdmerError, match="holds no waves; name one of a collection that has them marked"):
        classes_of(other)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("row", 3, r"names rows outside 0\.\.2"),
        ("row", 1, "has waves of rejected records"),
        ("lead", 12, "names leads or waves that there are not"),
        ("wave", 4, "names leads or waves that there are not"),
        ("onset", None, "lacks values"),
    ],
)
def test_a_table_that_is_not_of_its_store_is_refused(tmp_path, column, value, message):
    _, store = marked(tmp_path / "store")
    lines = store.waves.to_pylist()
    for line in lines[4:]:
        line[column] = value
    pq.write_table(pa.Table.from_pylist(lines, store.waves.schema), tmp_path / "store/waves.parquet")
    digest, size = digests(tmp_path / "store")["waves.parquet"], (tmp_path / "store/waves.parquet").stat().st_size
    info = json.loads((tmp_path / "store/dataset.json").read_text())
    info["seal"]["tables"][3] |= {"sha256": digest, "bytes": size}
    del info["sha256"]
    (tmp_path / "store/dataset.json").write_text(sealed_info(info))
    with pytest.raises(CgdmerError, match=message):
        _ = open_store(tmp_path / "store").waves


def test_a_store_that_lost_its_waves_does_not_open(tmp_path):
    marked(tmp_path / "store")
    (tmp_path / "store/waves.parquet").unlink()
    with pytest.raises(CgdmerError, match=r"waves\.parquet of store ludb is missing"):
        open_store(tmp_path / "store")


@pytest.mark.shared_data
def test_ludb_keeps_its_waves_and_a_damaged_file_of_marks_costs_one_lead(shared_data, tmp_path):
    root = unpacked(shared_data / "ludb-1.0.1.tar.xz", tmp_path)
    (root / "data/2.v6").write_bytes(b"\0")
    for number in range(11, 201):
        (root / f"data/{number}.hea").unlink()
    summary = convert(SOURCES["ludb"](root, 500, False), tmp_path / "store", rate=500, progress=False, partial=True)
    assert "the marks of 1 leads cannot be read" in summary.remarks[3]
    column = classes_of(tmp_path / "store")
    dense = column[np.arange(10)]
    assert (dense[1, 11] == -1).all() and (dense[1, :11] >= 0).any(axis=1).all()
    store = open_store(tmp_path / "store")
    lines = {name: place for place, name in enumerate(store.column("record_id"))}
    for lead in range(12):
        marks = read_marks(root / "data/1", LEADS[lead].lower())
        theirs = np.full(5000, -1)
        theirs[marks[0][0] : marks[-1][0] + 1] = 0
        for (onset, _), (_, letter), (offset, _) in zip(marks[::3], marks[1::3], marks[2::3], strict=True):
            theirs[onset : offset + 1] = " pNt".index(letter)
        np.testing.assert_array_equal(dense[lines["1"], lead], theirs)
