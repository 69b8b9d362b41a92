"""Arrays in one file: what NumPy wrote comes back, and no flipped bit changes a value."""

import io
import zipfile

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.npz_file import read_arrays, write_arrays

ARRAYS = {"task/scores": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["a", "ü"])}


def same(found: dict) -> bool:
    return found.keys() == ARRAYS.keys() and all(
        found[name].dtype == array.dtype and np.array_equal(found[name], array) for name, array in ARRAYS.items()
    )


@pytest.mark.parametrize("compress", [False, True])
def test_every_single_bit_is_named_or_changes_no_value(tmp_path, compress):
    path = tmp_path / "arrays.npz"
    write_arrays(path, ARRAYS, compress=compress)
    content = path.read_bytes()
    assert same(read_arrays(path, remedy="make it again"))
    n_named = 0
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:  # without its mark the end is that of an earlier file, and the arrays are whole
            assert same(read_arrays(path, remedy="make it again")), f"bit {place % 8} of byte {place // 8}"
        except CgdmerError as error:
            assert str(error).endswith("; make it again")
            n_named += 1
    assert n_named > 8 * (len(content) - 72)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numpy_reads_the_file_and_a_file_of_numpy_is_read(tmp_path, save):
    write_arrays(tmp_path / "ours.npz", ARRAYS, compress=save is np.savez_compressed)
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as file:
        assert same(dict(file))
    save(tmp_path / "theirs.npz", **ARRAYS)
    assert same(read_arrays(tmp_path / "theirs.npz", remedy="make it again"))


def test_a_missing_file_and_another_kind_of_file_are_named(tmp_path):
    with pytest.raises(CgdmerError, match=r"none\.npz cannot be read \(No such file"):
        read_arrays(tmp_path / "none.npz", remedy="make it again")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(CgdmerError, match=r"text\.npz is damaged \(File is not a zip file\)"):
        read_arrays(tmp_path / "text.npz", remedy="make it again")


def test_a_header_that_says_more_than_there_is_allocates_nothing(tmp_path):
    entry = io.BytesIO()
    np.lib.format.write_array_header_1_0(entry, {"shape": (10**15,), "fortran_order": False, "descr": "<f8"})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as entries:
        entries.writestr("x.npy", entry.getvalue() + b"12345678" * 4)
    with pytest.raises(CgdmerError, match=r"huge\.npz is damaged \(an array of shape \(1000000000000000,\) in"):
        read_arrays(tmp_path / "huge.npz", remedy="make it again")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': (",
        "  x\n y\n  z",
        "{[]: 1}",
        "{'descr': ',', 'shape': (1,), 'fortran_order': False}",
        "{'descr': '<f8', 'shape': (True,), 'fortran_order': False}",
        "{'descr': '<f8', 'shape': (-1,), 'fortran_order': False}",
        "-" * 9000 + "1",
        "(" * 5000,
    ],
    ids=lambda header: header[:20],
)
def test_whatever_stands_in_a_header_is_a_damaged_file(tmp_path, header):
    magic = np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as entries:
        entries.writestr("x.npy", magic + header.encode() + b"12345678")
    with pytest.raises(CgdmerError, match=r"odd\.npz is damaged \(an array .*\); make it again$"):
        read_arrays(tmp_path / "odd.npz", remedy="make it again")


def test_a_file_that_unpacks_into_more_than_it_may_is_not_unpacked(tmp_path):
    write_arrays(tmp_path / "zeros.npz", {"x": np.zeros(10**6)}, compress=True)
    assert read_arrays(tmp_path / "zeros.npz", remedy="make it again", most_bytes=8_001_000)["x"].shape == (10**6,)
    with pytest.raises(CgdmerError, match=r"zeros\.npz unpacks into more than 8000000 bytes; make it again"):
        read_arrays(tmp_path / "zeros.npz", remedy="make it again", most_bytes=8_000_000)


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "objects.npz", objects=np.array([{}], object))
    with pytest.raises(CgdmerError, match="is damaged"):
        read_arrays(tmp_path / "objects.npz", remedy="make it again")
