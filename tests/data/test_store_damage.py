"""A store that was damaged, or made to do harm: compared before it is parsed, bounded before it is decoded."""

import hashlib
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import REPORT_SCHEMA, open_store
from cgdmer_jax.data.store.store_info import sealed_info
from cgdmer_jax.errors import CgdmerError
from tests.data.small_stores import N_SAMPLES, rewrite_info, small_source, stored_uv, write_store

REPORTS = [f"sinus rhythm, größer, number {row}" for row in range(10)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten rows in three shards."""
    return Path(write_store(tmp_path_factory.mktemp("whole") / "store", REPORTS, rows_per_shard=4))


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "store")


def info_of(store: Path) -> dict:
    return json.loads((store / "dataset.json").read_text(encoding="utf-8"))


def as_format_3(store: Path, **fields: object) -> Path:
    """As a store of the format before the hash, with other values in its dataset.json."""
    info = info_of(store) | {"format_version": 3} | fields
    del info["sha256"], info["n_longer"]
    (store / "dataset.json").write_text(json.dumps(info, indent=1, ensure_ascii=False), encoding="utf-8")
    return store


@pytest.mark.parametrize(
    "change",
    [
        lambda info: info | {"seconds": 50.0},
        lambda info: info | {"rate": 300.0},
        lambda info: info | {"leads": info["leads"][::-1]},
        lambda info: info | {"tasks": {"findings": [{"code": "A", "name": "other"}, {"code": "B", "name": "B"}]}},
        lambda info: info | {"remarks": ["other"]},
        lambda info: info | {"sha256": "0" * 64},
    ],
)
def test_any_value_of_dataset_json_that_is_not_what_was_written_is_refused(store, change):
    (store / "dataset.json").write_text(json.dumps(change(info_of(store))))
    with pytest.raises(CgdmerError, match=r"dataset\.json differs from what was written \(sha256\); copy"):
        open_store(store)


def test_another_layout_of_the_same_dataset_json_is_the_same_store(store, whole):
    (store / "dataset.json").write_text(json.dumps(info_of(store), sort_keys=True))
    assert open_store(store).fingerprint == open_store(whole).fingerprint


def test_a_store_of_format_3_opens_with_the_fingerprint_and_the_values_that_it_always_had(store, whole):
    as_format_3(store)
    info = info_of(store)
    del info["remarks"]
    opened = open_store(store)
    assert opened.fingerprint == hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()
    np.testing.assert_array_equal(opened.read(np.arange(10)), np.stack([stored_uv(row) for row in range(10)]))
    assert opened.texts == tuple(REPORTS)
    assert open_store(whole).fingerprint == opened.fingerprint  # the same records


def test_the_command_that_made_a_store_of_format_3_says_that_it_is_complete(store):
    as_format_3(store)
    seconds = N_SAMPLES / 100
    summary = convert(small_source(REPORTS), store, rate=100, seconds=seconds, progress=False, rows_per_shard=4)
    assert summary.n_converted == 0 and summary.n_records == 10
    with pytest.raises(CgdmerError, match=r"begun with --seconds=1.2, this command has 10.0"):
        convert(small_source(REPORTS), store, rate=100, progress=False, rows_per_shard=4)


def test_a_version_3_with_a_hash_of_its_own_is_refused(store):
    (store / "dataset.json").write_text(json.dumps(info_of(store) | {"format_version": 3}))
    with pytest.raises(CgdmerError, match=r"differs from what was written"):
        open_store(store)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"seconds": 50.0}, "n_samples is 120 where 5000 is expected"),
        ({"rate": "100"}, "rate is not a number above 0"),
        ({"rate": float("nan")}, "rate is not a number above 0"),
        ({"n_rows": True}, "n_rows is not a count"),
        ({"n_records": 9}, "n_records is 9 where 10 is expected"),
        ({"leads": ["I"]}, "leads is .* is expected"),
        ({"filter": "lowpass"}, "filter is lowpass where none or"),
        ({"unit": "mV"}, "unit is mV"),
        ({"tasks": {"findings": ["A"]}}, r"tasks\.findings\[0\] is not an object"),
        ({"tasks": {"findings": [{"code": "A"}]}}, r"tasks\.findings\[0\] lacks name"),
        ({"remarks": "none"}, "remarks is not a list"),
        ({"rejected": {"length": -1}}, r"rejected\.length is not a count"),
        ({"n_rows": 11, "n_records": 11}, r"seal\.shards\[2\]\.bytes is .* where 3 rows have"),
        ({"seconds": 1e6, "n_samples": 100_000_000}, r"seal\.shards\[0\]\.bytes is .* where 4 rows have 9600000084"),
        ({"seal": {}}, "seal lacks rows_per_shard"),
    ],
)
def test_a_field_of_another_type_or_that_contradicts_another_is_named(store, fields, problem):
    as_format_3(store, **fields)
    with pytest.raises(CgdmerError, match=rf"dataset\.json cannot be right: {problem}.*; copy"):
        open_store(store)


@pytest.mark.parametrize("name", ["dataset.json", "signal/zarr.json"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[" * 200_000, "nested more than 64 deep"),
        (b'{"a":' * 200_000, "nested more than 64 deep"),
        (b'{"name": "\xff"}', r"not valid JSON \(not UTF-8\)"),
        (b'{"a": 1, "a": 1}', "'a' stands twice"),
        (b"", "not valid JSON"),
    ],
)
def test_json_that_would_end_the_process_is_one_sentence(store, name, content, problem):
    (store / name).write_bytes(content)
    with pytest.raises(CgdmerError, match=rf"{name} is .*{problem}.*; copy"):
        open_store(store)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    ("of", "becomes"),
    [
        ('"endian":"little"', '"endian":"big"'),
        ('"int16"', '"uint16"'),
        ('"fill_value":0', '"fill_value":1'),
        ("[1,12,120]", "[1,12,60]"),
        ('"zarr_format":3', '"zarr_format":2'),
        ('{"name":"crc32c"}', '{"name":"gzip"}'),
    ],
)
def test_a_zarr_json_that_would_read_other_samples_is_refused(store, old, of, becomes):
    if old:
        as_format_3(store)
    file = store / "signal/zarr.json"
    assert of in file.read_text()
    file.write_text(file.read_text().replace(of, becomes))
    with pytest.raises(CgdmerError, match=r"zarr\.json does not describe the signals"):
        open_store(store)


def test_a_zarr_json_that_spells_out_the_defaults_means_the_same(store):
    file = store / "signal/zarr.json"
    metadata = json.loads(file.read_text())
    metadata["codecs"][0]["configuration"]["index_location"] = "end"
    metadata["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}
    file.write_text(json.dumps(metadata | {"attributes": {}}, indent=2))
    np.testing.assert_array_equal(open_store(store).read(np.array([3])), stored_uv(3)[None])


def test_a_table_is_compared_before_it_is_parsed(store, monkeypatch):
    monkeypatch.delattr(pq, "ParquetFile")
    monkeypatch.delattr(pq, "read_metadata")
    for name, use in (("records.parquet", lambda s: s.records), ("reports.parquet", lambda s: s.texts)):
        content = bytearray((store / name).read_bytes())
        content[-6] ^= 1  # the length of the footer
        (store / name).write_bytes(content)
        with pytest.raises(CgdmerError, match=rf"{name} of store .* differs from the seal's sha256"):
            use(open_store(store))


def reseal(store: Path, name: str, table: pa.Table, **how: object) -> None:
    """Puts another table into the store and seals it as whoever wants to do harm would."""
    pq.write_table(table, store / name, **how)
    info = info_of(store)
    info["seal"]["tables"][seal.TABLES.index(name)] = seal.seal_table(store, name, table.num_rows)
    (store / "dataset.json").write_text(sealed_info(info), encoding="utf-8")


_POOLS: list[pa.MemoryPool] = []  # one must outlive all that was allocated from it


def most_bytes_held(use: Callable[[], object]) -> int:
    """Most memory that pyarrow and Python held until `use` raised its error."""
    usual, measured = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    _POOLS.append(measured)
    pa.set_memory_pool(measured)
    tracemalloc.start()
    try:
        with pytest.raises(CgdmerError):
            use()
        return tracemalloc.get_traced_memory()[1] + measured.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)


def repeated(text: str, times: int) -> pa.Array:
    """One text in many lines, in memory once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(times, np.int32)), pa.array([text]))


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (repeated("a" * 2_000_000, 10), "unpacks into more than the 16818176 bytes of text"),  # 2 MB in a dictionary
        (repeated("a" * 20_000_000, 10), "unpacks into more than the 16818176 bytes that 10 lines may have"),
        (pa.array(["a" * 70_000]), "holds a text of 70000 bytes, more than the 65536 that one may have"),
        (pa.array(["a", None]), "has lines without text"),
    ],
)
def test_reports_that_unpack_into_far_more_than_they_are_are_refused_first(store, texts, problem):
    table = pa.table({"text_id": pa.array(range(len(texts)), pa.int32()), "text": texts})
    if pa.types.is_dictionary(texts.type):
        pq.write_table(table, store / "x", compression="zstd", store_schema=False)
        table = pq.ParquetFile(store / "x", read_dictionary=["text"]).read()
        (store / "x").unlink()
    reseal(store, "reports.parquet", table, compression="zstd", store_schema=False)
    assert (store / "reports.parquet").stat().st_size < 50_000
    opened = open_store(store)
    with pytest.raises(CgdmerError, match=problem):
        opened.texts  # noqa: B018
    assert most_bytes_held(lambda: opened.texts) < 40_000_000


def test_records_whose_text_columns_or_lists_unpack_into_too_much_are_refused(store):
    table = open_store(store).records
    for column, values, problem in (
        ("device", pa.array(["x" * 3_000_000] * 10), "of text that it may have"),
        ("label_findings", pa.array([["A"] * 200_000] * 10), "more than 64 values a line"),
        ("text_id", pa.array([10] * 10, pa.int32()), "names reports outside 0..9"),
        ("text_id", pa.array([str(row) for row in range(10)]), "has other columns than"),
    ):
        place = table.schema.names.index(column)
        changed = table.set_column(place, column, values)
        reseal(store, "records.parquet", changed, compression="zstd")
        with pytest.raises(CgdmerError, match=rf"records\.parquet of store .*{problem}"):
            open_store(store).column(column)


def test_a_file_that_is_sealed_and_no_parquet_is_one_sentence(store):
    (store / "reports.parquet").write_bytes(b"PAR1 this is none PAR1")
    info = info_of(store)
    info["seal"]["tables"][1] = seal.seal_table(store, "reports.parquet", 10)
    (store / "dataset.json").write_text(sealed_info(info))
    with pytest.raises(CgdmerError, match=r"reports\.parquet of store synthetic is no readable Parquet file; copy"):
        open_store(store).texts  # noqa: B018


@pytest.mark.parametrize("name", ["reports.parquet", "records.parquet"])
def test_whatever_is_sealed_in_a_table_is_read_as_its_types_or_one_sentence(store, name):
    """Flipped bits that the seal agrees with: texts that are no UTF-8, and indices beyond their dictionary."""
    content, refused = (store / name).read_bytes(), 0
    for place in range(4, len(content) - 4, len(content) // 120):
        (store / name).write_bytes(content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 :])
        info = info_of(store)
        info["seal"]["tables"][seal.TABLES.index(name)] = seal.seal_table(store, name, 10)
        (store / "dataset.json").write_text(sealed_info(info), encoding="utf-8")
        try:
            opened = open_store(store)
            assert all(isinstance(text, str) for text in opened.texts) and opened.records.num_rows == 10
            opened.records.to_pylist()
        except CgdmerError as error:
            refused += 1
            assert name in str(error) and "\n" not in str(error)
    assert refused > 10


def test_a_collection_with_long_reports_reads_back_whole(tmp_path):
    """As long as conversion accepts them: 32 kB each, of letters of two bytes."""
    reports = ["ü" * 16_000 + str(row) for row in range(20)]
    assert open_store(write_store(tmp_path / "store", reports)).texts == tuple(reports)


def test_reports_too_long_to_be_reports_are_refused_before_anything_is_converted(tmp_path):
    """An unclosed quotation mark turns the rest of a table into one report."""
    with pytest.raises(CgdmerError, match=r"report of record r1 has 40000 bytes, more than the 32768 .*quotation mark"):
        write_store(tmp_path / "store", ["short", "x" * 40_000])
    with pytest.raises(CgdmerError, match=r"reports of synthetic have 10501050 bytes together, more than the"):
        write_store(tmp_path / "store", ["x" * 30_000 + f"{row:03}" for row in range(350)])
    assert not (tmp_path / "store").exists()


def test_more_reports_than_records_are_refused_at_opening(store):
    reseal(store, "reports.parquet", pa.table({"text_id": range(11), "text": ["x"] * 11}, schema=REPORT_SCHEMA))
    with pytest.raises(CgdmerError, match=r"reports\.parquet has 11 lines for 10 records"):
        open_store(store)


@pytest.mark.parametrize("place", ["shards", "tables"])
@pytest.mark.parametrize("name", ["../../x", "/etc/hostname", "signal/c/0/0/0"])
def test_a_seal_that_names_another_file_is_refused(store, place, name):
    sealed = info_of(store)["seal"]
    sealed[place][1]["file"] = name
    rewrite_info(str(store), seal=sealed)
    with pytest.raises(CgdmerError, match=rf"dataset\.json cannot be right: seal\.{place}.*; copy"):
        open_store(store)


@pytest.mark.parametrize(
    "name", ["dataset.json", "records.parquet", "signal/zarr.json", "signal/c/1", "signal/c/1/0/0"]
)
def test_a_part_that_is_a_link_to_elsewhere_is_refused(store, tmp_path, name):
    (store / name).rename(tmp_path / "elsewhere")
    (store / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CgdmerError, match=rf"{name}.* leads out of the store to .*elsewhere.*; put the file itself"):
        open_store(store)


def test_a_store_that_is_reached_through_a_link_opens(store, tmp_path):
    (tmp_path / "link").symlink_to(store)
    linked, direct = open_store(tmp_path / "link"), open_store(store)
    linked.verify()
    assert linked.fingerprint == direct.fingerprint
    np.testing.assert_array_equal(linked.read(np.arange(3)), direct.read(np.arange(3)))


def test_a_file_that_cannot_be_read_is_one_sentence(store):
    shutil.rmtree(store / "signal/c/1")
    (store / "signal/c/1").write_text("a file in place of a folder")
    with pytest.raises(CgdmerError, match=r"signal/c/1/0/0 of store .* cannot be read \(Not a directory\); copy"):
        open_store(store)
