"""A store gives back what was converted, and names every damage in one sentence."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.store import write_large_store
from cgdmer_jax.data.sources.ptbxl import open_source
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import Store, open_store
from cgdmer_jax.data.store.store_info import read_info, sealed_info
from cgdmer_jax.errors import CgdmerError
from tests.data.ptbxl_root import line, samples, write_root
from tests.data.small_stores import rewrite_info

N_ROWS, REJECTED_ROW, ROWS_PER_SHARD, N_SAMPLES = 10, 6, 4, 200
LINES = [
    line(0, report="", scp_codes="{}", age="300.0", sex="", device=""),
    line(1, report="Trace only requested."),
    line(2, report="sinusrhythmus"),
    line(3, report="SINUSRHYTHMUS ", scp_codes="{'IMI': 0.0, 'NDT': 100.0, 'SR': 0.0}"),
    *(line(number) for number in range(4, N_ROWS)),
]
SHARD_1 = Path("signal/c/1/0/0")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten rows in three shards; row 6 was rejected."""
    folder = tmp_path_factory.mktemp("store")
    root = write_root(folder / "root", LINES)
    (root / LINES[REJECTED_ROW]["filename_lr"]).with_suffix(".dat").unlink()
    convert(
        open_source(root, 100),
        folder / "store",
        rate=100,
        seconds=2.0,
        progress=False,
        rows_per_shard=ROWS_PER_SHARD,
    )
    return folder / "store"


@pytest.fixture(scope="module")
def opened(whole: Path) -> Store:
    return open_store(whole)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / "copy")


def stored(row: int) -> np.ndarray:
    return np.zeros((12, N_SAMPLES)) if row == REJECTED_ROW else samples(row, 100, 2.0).T


def flip_bit(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def change_info(store: Path, **fields: object) -> None:
    """Other values, sealed as if conversion had written them."""
    rewrite_info(str(store), **fields)


def test_rows_come_in_the_order_asked_for_repeats_included(whole):
    rows = np.array([9, 0, 4, 4, 6, 1, 9])
    signal = open_store(whole).read(rows)
    assert signal.dtype == np.int16
    np.testing.assert_array_equal(signal, np.stack([stored(row) for row in rows]))


@settings(max_examples=100)
@given(
    rows=st.permutations(range(N_ROWS)) | st.lists(st.integers(0, N_ROWS - 1), max_size=2 * N_ROWS),
    dtype=st.sampled_from([np.int32, np.int64]),
)
def test_any_gather_across_shards_equals_the_recordings_one_by_one(opened, rows, dtype):
    signal = opened.read(np.array(rows, dtype))
    assert signal.dtype == np.int16 and signal.shape == (len(rows), 12, N_SAMPLES)
    for read, row in zip(signal, rows, strict=True):
        np.testing.assert_array_equal(read, stored(row))


def test_rows_may_be_int32_sorted_single_or_none(whole):
    store = open_store(whole)
    everything = store.read(np.arange(N_ROWS, dtype=np.int32))
    np.testing.assert_array_equal(everything, np.stack([stored(row) for row in range(N_ROWS)]))
    assert store.read(np.array([3])).shape == (1, 12, N_SAMPLES)
    assert store.read(np.array([], np.int64)).shape == (0, 12, N_SAMPLES)


@pytest.mark.parametrize("row", [-1, N_ROWS])
def test_a_row_outside_the_array_is_an_index_error(whole, row):
    with pytest.raises(IndexError):
        open_store(whole).read(np.array([0, row]))


def test_a_rejected_record_has_a_row_but_no_line(whole):
    store = open_store(whole)
    assert store.n_rows == N_ROWS and store.n_records == N_ROWS - 1 == store.records.num_rows
    assert store.column("row").tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert store.column("record_id").tolist() == ["0", "1", "2", "3", "4", "5", "7", "8", "9"]


def test_columns_have_the_types_and_nulls_of_the_contract(whole):
    store = open_store(whole)
    assert np.isnan(store.column("age")).tolist() == [True] + [False] * 8
    assert store.column("sex").tolist() == [None] + ["female"] * 8
    assert store.column("device")[0] is None and store.column("device")[1] == "CS-12   E"
    assert store.column("lead_mask").shape == (9, 12) and store.column("lead_mask").all()
    assert store.column("fold").dtype == np.int8 and store.column("text_id").dtype == np.int32
    assert store.column("valid_length").tolist() == [N_SAMPLES] * 9
    with pytest.raises(CgdmerError, match=r'no column "flod".*"fold"'):
        store.column("flod")


def test_equal_cleaned_texts_share_an_id_and_no_clinical_text_is_minus_1(whole):
    store = open_store(whole)
    ids = store.column("text_id")
    assert ids[:4].tolist() == [-1, -1, 0, 0]
    assert [store.texts[i] for i in ids[2:]] == ["sinusrhythmus"] * 2 + [
        f"sinusrhythmus nummer {number % 7}" for number in (4, 5, 7, 8, 9)
    ]
    assert len(set(store.texts)) == len(store.texts)  # row 6 was rejected: its text is not there
    assert "sinusrhythmus nummer 6" not in store.texts


def test_labels_are_aligned_with_the_lines_and_the_classes(whole):
    store = open_store(whole)
    assert store.tasks == ("super", "sub", "form", "rhythm")
    assert [label.code for label in store.classes("super")] == ["MI", "NORM", "STTC"]
    expected = np.tile([False, True, False], (9, 1))
    expected[0], expected[3] = [False] * 3, [True, False, True]
    np.testing.assert_array_equal(store.labels("super"), expected)
    assert store.labels("form").sum(axis=0).tolist() == [0, 1]
    with pytest.raises(CgdmerError, match=r'no task "from".*"form"'):
        store.labels("from")


def test_the_fingerprint_is_that_of_everything_in_the_store(whole, copy):
    assert open_store(copy).fingerprint == open_store(whole).fingerprint
    change_info(copy, licence="other")
    assert open_store(copy).fingerprint != open_store(whole).fingerprint
    open_store(whole).verify()


def test_a_remark_changes_no_fingerprint_and_every_other_field_does(whole, copy):
    """The 38 withdrawn recordings of PTB-XL lie in one copy of the folder and not in the other: the same records."""
    info = json.loads((whole / "dataset.json").read_text())
    change_info(copy, remarks=[*info["remarks"], "one recording more lay in the folder"])
    assert open_store(copy).fingerprint == open_store(whole).fingerprint
    others = {
        "name": "other",
        "rate": 200.0,
        "cleaning_version": 99,
        "licence": "other",
        "citation": "other",
        "filter": "bandpass_0.5_40",
        "derive_limb_leads": True,
        "quality": {},
        "extra_leads": {"VX": 1},
        "tasks": {},
        "source": info["source"] | {"fingerprint": "other"},
        "rejected": {"length": 1},
        "seal": info["seal"] | {"tables": [entry | {"sha256": "0"} for entry in info["seal"]["tables"]]},
    }
    for field, value in others.items():
        shorter = {"seconds": info["seconds"] / 2} if field == "rate" else {}
        (copy / "dataset.json").write_text(sealed_info(info | {field: value} | shorter))
        assert read_info(copy)[1] != open_store(whole).fingerprint, field


def test_opening_reads_no_table_and_a_changed_one_is_told_on_first_use(copy):
    for name, use in [("records.parquet", lambda s: s.column("row")), ("reports.parquet", lambda s: s.texts)]:
        flip_bit(copy / name, 40)
        store = open_store(copy)
        with pytest.raises(CgdmerError, match=rf"{name} of store .* differs from the seal's sha256; copy"):
            use(store)


def test_a_store_of_800_000_rows_opens_in_under_a_second(tmp_path):
    write_large_store(tmp_path / "large", n_rows=800_000, n_samples=10)
    seconds = []
    for _ in range(3):
        began = time.process_time()
        store = open_store(tmp_path / "large")
        seconds.append(time.process_time() - began)
    assert store.n_rows == 800_000
    assert min(seconds) < 1


def test_without_a_seal_a_store_does_not_open(copy):
    (copy / "dataset.json").unlink()
    with pytest.raises(CgdmerError, match=r"has no dataset\.json: its conversion was not finished; run"):
        open_store(copy)
    with pytest.raises(CgdmerError, match=r"there is no store at .*experiments.convert"):
        open_store(copy / "nowhere")


@pytest.mark.parametrize("inside", [(), ("ptbxl_database.csv",), ("store/dataset.json",)])
def test_a_folder_of_something_else_is_not_called_an_unfinished_store(tmp_path, inside):
    for name in inside:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    with pytest.raises(
        CgdmerError, match=r"is no store \(it has no dataset\.json\); give the folder that .*convert wrote"
    ):
        open_store(tmp_path)


def test_another_format_version_is_refused(copy):
    change_info(copy, format_version=1)
    with pytest.raises(CgdmerError, match=r"has format version 1, this program reads 3 and 4; convert"):
        open_store(copy)


def test_a_dataset_json_that_is_damaged_or_lacks_a_field_is_refused(copy):
    info = json.loads((copy / "dataset.json").read_text())
    del info["rate"]
    (copy / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(CgdmerError, match=r"dataset\.json lacks rate; copy"):
        open_store(copy)
    (copy / "dataset.json").write_text("{")
    with pytest.raises(CgdmerError, match=r"dataset\.json is not valid JSON .*; copy"):
        open_store(copy)


def test_a_missing_shard_is_refused_at_opening(copy):
    (copy / SHARD_1).unlink()
    with pytest.raises(CgdmerError, match=r"signal/c/1/0/0 of store ptbxl is missing; copy"):
        open_store(copy)


def test_a_truncated_shard_is_refused_at_opening(copy):
    content = (copy / SHARD_1).read_bytes()
    (copy / SHARD_1).write_bytes(content[:-1])
    with pytest.raises(CgdmerError, match=rf"has {len(content) - 1} bytes where the seal says {len(content)}"):
        open_store(copy)


def test_two_swapped_shards_are_refused_at_opening(copy):
    (copy / SHARD_1).rename(copy / "aside")
    (copy / "signal/c/0/0/0").rename(copy / SHARD_1)
    (copy / "aside").rename(copy / "signal/c/0/0/0")
    with pytest.raises(CgdmerError, match=r"c/0/0/0 .* begins with another record than"):
        open_store(copy)


def test_a_flipped_bit_is_found_on_reading_and_its_row_is_named(copy):
    row = ROWS_PER_SHARD + 1
    flip_bit(copy / SHARD_1, (12 * N_SAMPLES * 2 + 4) + 777)  # within the shard's second record
    store = open_store(copy)
    others = np.array([other for other in range(N_ROWS) if other != row])
    np.testing.assert_array_equal(store.read(others), np.stack([stored(other) for other in others]))
    with pytest.raises(CgdmerError, match=rf"row\(s\) {row} of store .* fail their checksum .*; copy"):
        store.read(np.arange(N_ROWS))
    with pytest.raises(CgdmerError, match=r"signal/c/1/0/0 of store ptbxl differs from the seal's sha256"):
        store.verify()


def test_a_shard_that_vanishes_after_opening_is_not_read_as_zeros(copy):
    store = open_store(copy)
    (copy / SHARD_1).unlink()
    with pytest.raises(CgdmerError, match=r"row\(s\) 4, 5, 7 of store .* missing"):
        store.read(np.array([7, 1, 5, 4]))


def reseal_records(store: Path, table: pa.Table) -> None:
    """Puts another records.parquet into the store and makes the seal agree with its size and sha256."""
    from cgdmer_jax.data.store.seal import seal_table

    pq.write_table(table, store / "records.parquet")
    info = json.loads((store / "dataset.json").read_text())
    info["seal"]["tables"][0] = seal_table(store, "records.parquet", table.num_rows)
    (store / "dataset.json").write_text(sealed_info(info))


def test_a_short_table_is_refused_at_opening(copy, whole):
    reseal_records(copy, open_store(whole).records.slice(0, 5))
    with pytest.raises(CgdmerError, match=r"do not have a line for every accepted and every rejected record; copy"):
        open_store(copy)


def test_a_short_table_under_the_old_seal_is_refused_at_opening(copy, whole):
    pq.write_table(open_store(whole).records.slice(0, 5), copy / "records.parquet")
    with pytest.raises(CgdmerError, match=r"records\.parquet of store ptbxl has .* bytes where the seal says"):
        open_store(copy)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5, 7, 8, 10], [1, 0, 2, 3, 4, 5, 7, 8, 9]])
def test_a_table_that_names_rows_the_array_lacks_is_refused(copy, whole, rows):
    table = open_store(whole).records.drop_columns(["row"]).add_column(0, "row", pa.array(rows, pa.int32()))
    reseal_records(copy, table)
    with pytest.raises(CgdmerError, match=r"names rows outside 0..9 or out of order"):
        open_store(copy).column("fold")


def test_an_array_of_another_shape_is_refused(copy):
    zarr = (copy / "signal/zarr.json").read_text()
    (copy / "signal/zarr.json").write_text(zarr.replace('"shape":[10,12,200]', '"shape":[12,12,200]'))
    with pytest.raises(CgdmerError, match=r"zarr\.json does not describe the signals that dataset\.json .*; copy"):
        open_store(copy)


def test_a_label_that_is_no_class_is_refused(copy):
    info = json.loads((copy / "dataset.json").read_text())
    info["tasks"]["super"] = info["tasks"]["super"][:1]
    change_info(copy, tasks=info["tasks"])
    store: Store = open_store(copy)
    with pytest.raises(CgdmerError, match=r'codes that are not classes of task "super"'):
        store.labels("super")
