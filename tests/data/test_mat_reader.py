"""MATLAB files: matrices of every type as scipy reads them; packed, cut, foreign and oversized ones refused."""

import io
import struct
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from cgdmer_jax.data.readers.formats import read_recording
from cgdmer_jax.data.readers.found_records import find_recordings
from cgdmer_jax.data.readers.mat import read_mat
from cgdmer_jax.data.readers.reader import Hints
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.waveform.lead_names import LEADS
from tests.read_real_records import largest_difference_mv, oracle_mv
from tests.real_recordings import unpack_files

TWO = Hints(500.0, ("I", "V1"), "mV")
SIGNAL = np.arange(200).reshape(2, 100) - 60


def mat(packed: bool = False, **arrays) -> bytes:
    written = io.BytesIO()
    savemat(written, arrays, do_compression=packed)
    return written.getvalue()


def write(folder: Path, content: bytes) -> Path:
    (folder / "r.mat").write_bytes(content)
    return folder / "r.mat"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", "i1 u1 i2 u2 i4 u4 i8 u8 f4 f8".split())
def test_a_matrix_of_any_type_is_read_as_by_scipy(tmp_path, packed, dtype):
    path = write(tmp_path, mat(packed, text="abc", val=SIGNAL.astype(dtype), cells=np.array(["a", 1], object)))
    np.testing.assert_array_equal(read_mat(path, None, TWO).signal_mv, loadmat(path)["val"].astype("f4"))


def test_of_a_struct_the_samples_alone_are_read(tmp_path):
    signal = np.random.default_rng(0).normal(size=(12, 600))
    path = write(tmp_path, mat(True, ECG={"sex": "Female", "age": 58, "data": signal}))
    read = read_mat(path, None, Hints(unit="mV"))
    assert read.rate == 500 and len(read.names) == 12
    np.testing.assert_array_equal(read.signal_mv, signal.astype("f4"))
    with pytest.raises(RecordError, match=r'array "ECG\.data" is that of a published layout with rate 500'):
        read_mat(path, None, Hints(100.0))


def test_a_rate_beside_the_samples_is_theirs(tmp_path):
    feats = np.random.default_rng(0).normal(size=(12, 600)).astype("f4")
    path = write(tmp_path, mat(feats=feats, curr_sample_rate=400, org_sample_rate=1000))
    assert read_mat(path, None, Hints(500.0)).rate == 400
    with pytest.raises(RecordError, match="does not say the rate"):
        read_mat(write(tmp_path, mat(feats=feats)), None, Hints())


@pytest.mark.parametrize(("archive", "rate", "n"), [("cpsc2018-sample", 500, 3), ("code15-sample", 400, 10)])
def test_real_files_are_found_and_read_as_by_scipy(shared_data, tmp_path, archive, rate, n):
    unpack_files(shared_data / f"{archive}.tar.xz", tmp_path)
    locations = [one for one in find_recordings(tmp_path).recordings if one.path.suffix == ".mat"]
    assert len(locations) == n
    for location in locations:
        read = read_recording(location)
        assert (read.rate, read.names) == (rate, LEADS)
        assert largest_difference_mv(read, oracle_mv(location.path)) == 0


def bomb(n_bytes: int) -> bytes:
    """A packed element that unpacks into so many bytes."""
    packed = zlib.compress(bytes(n_bytes))
    return mat(val=SIGNAL)[:128] + struct.pack("<II", 15, len(packed)) + packed


BAD = [
    # problem, content, words
    ("format", b"MATLAB 7.3 MAT-file, Platform: GLNXA64", 'is of version 7.3, which is not read; save it with "-v7"'),
    ("format", b"", "does not begin as MATLAB 5 writes it, and no header (.hea) describes it"),
    ("format", mat(val=SIGNAL)[:126] + b"xx" + mat(val=SIGNAL)[128:], "does not begin as MATLAB 5"),
    ("format", mat(val=SIGNAL)[:-8], "its file is damaged; fetch the record again"),
    ("format", mat(True, val=SIGNAL)[:-8], "its file is damaged"),
    ("format", mat(True, val=SIGNAL).replace(b"x\x9c", b"x\x9d"), "its file is damaged"),
    ("format", mat(a=SIGNAL, b=SIGNAL), "has 2 matrices of numbers, expected one"),
    ("format", mat(a="text", b=3), "has 0 matrices of numbers"),
    ("format", mat(val=SIGNAL + 1j), "has 0 matrices of numbers"),
    ("length", mat(val=SIGNAL[:, :0], other=SIGNAL[:1]), "have shape [1, 100], expected [2 named leads, time]"),
    ("length", mat(val=np.zeros((2, 10, 10))), "have shape [2, 10, 10]"),
    ("format", mat(val=SIGNAL)[:128] + struct.pack("<II", 14, 0), "its file is damaged"),
    ("format", mat(val=SIGNAL)[:128] + struct.pack("<IIII", 14, 8, 6, 0), "its file is damaged"),
    ("size", bomb(10_000) + bomb(20_000)[128:], "takes over 10,000 bytes"),
    ("size", bomb(20_000), "takes over 10,000 bytes, more than is read"),
    ("size", mat(val=np.zeros((2, 5000))), "takes over 10,000 bytes"),
]


@pytest.mark.parametrize(("problem", "content", "words"), BAD, ids=[f"{n} {bad[2]}" for n, bad in enumerate(BAD)])
def test_a_file_that_cannot_be_trusted_is_refused_by_its_own_problem(tmp_path, problem, content, words):
    with (
        mock.patch("cgdmer_jax.data.readers.mat.MOST_BYTES", 10_000),
        pytest.raises(RecordError) as caught,
    ):
        read_mat(write(tmp_path, content), None, TWO)
    assert caught.value.problem == problem and words in str(caught.value)
