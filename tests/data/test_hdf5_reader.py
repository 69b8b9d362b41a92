"""HDF5 files: exams by id, filling cut off, nothing read of another file; what cannot be trusted is refused."""

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from cgdmer_jax.data.readers.hdf5 import members, read_hdf5
from cgdmer_jax.data.readers.reader import Hints, Location
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.waveform.lead_names import LEADS

NOTHING = Hints()


def tracings(*lengths: int) -> np.ndarray:
    """As CODE makes them: each length of samples amid zeros, 4,096 in all."""
    made = np.zeros((len(lengths), 4096, 12), np.float32)
    for number, length in enumerate(lengths):
        start = (4096 - length) // 2
        made[number, start : start + length] = np.random.default_rng(number).normal(size=(length, 12))
    return made


def write(folder: Path, **arrays) -> Path:
    with h5py.File(folder / "A00001.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return folder / "A00001.h5"


def test_the_filling_is_cut_off_and_zeros_amid_the_samples_stay(tmp_path):
    made = tracings(2934, 4096)
    made[0, 2000:2100] = 0
    made[1, :, 0] = 0  # one lead without signal is no filling
    path = write(tmp_path, tracings=made, exam_id=[7, 8])
    short, full = read_hdf5(path, None, NOTHING, "7"), read_hdf5(path, None, NOTHING, "8")
    assert (short.rate, short.names, short.path) == (400, LEADS, f"{path}#7")
    np.testing.assert_array_equal(short.signal_mv, made[0, 581 : 581 + 2934].T)
    assert full.signal_mv.shape == (12, 4096)


def test_exams_go_by_id_and_where_there_is_none_by_number(tmp_path):
    path = write(tmp_path, tracings=tracings(100, 200, 300), exam_id=[40, 1169160, 0])
    assert members(path, None) == [Location(path, one) for one in ("40", "1169160", "0")]
    assert read_hdf5(path, None, NOTHING, "1169160").signal_mv.shape == (12, 200)
    path = write(tmp_path, tracings=tracings(100, 200, 300))
    assert members(path, None) == [Location(path, one) for one in ("0", "1", "2")]
    assert read_hdf5(path, None, NOTHING, "2").signal_mv.shape == (12, 300)
    path = write(tmp_path, ecg=np.ones((12, 5000), np.float16))
    assert members(path, None) == [Location(path)] and read_hdf5(path, None, NOTHING).rate == 500


def test_a_gap_is_a_gap_and_hints_are_of_files_that_no_publisher_describes(tmp_path):
    signal = np.array([[1.0, np.nan, -np.inf], [4.0, 5.0, 6.0]])
    path = write(tmp_path, ecg=signal).rename(tmp_path / "own.h5")
    read = read_hdf5(path, None, Hints(250.0, ("V1", "II"), "V"))
    assert (read.rate, read.names) == (250, ("V1", "II"))
    np.testing.assert_array_equal(read.signal_mv, [[1000, np.nan, np.nan], [4000, 5000, 6000]])
    path = write(tmp_path, ecg=np.ones((12, 500)))
    assert read_hdf5(path, None, Hints(500.0, None, "mV")).rate == 500
    for problem, hints in (
        ("rate", Hints(250.0)),
        ("unknown_leads", Hints(leads=("V1", "II"))),
        ("unit", Hints(unit="V")),
    ):
        with pytest.raises(RecordError, match='array "ecg" is that of a published layout') as raised:
            read_hdf5(path, None, hints)
        assert raised.value.problem == problem


ONE = np.ones((1, 500, 12), np.float32)
BAD = [
    # problem, arrays, member, words
    ("length", {"tracings": 0 * ONE, "exam_id": [1]}, "1", "its tracing is zero from end to end"),
    ("no_signal_file", {"tracings": ONE, "exam_id": [1]}, None, "holds 1 recordings; name one as A00001.h5#EXAM"),
    ("no_signal_file", {"tracings": ONE, "exam_id": [1]}, "2", "holds no exam of that id; name one of its 1"),
    ("no_signal_file", {"tracings": np.concatenate([ONE, ONE]), "exam_id": [1, 1]}, "1", "holds 2 exams of that id"),
    ("no_signal_file", {"ecg": ONE[0]}, "1", "holds one recording alone"),
    ("header", {"tracings": ONE, "exam_id": [1, 2]}, "1", "does not give every exam a number"),
    ("header", {"tracings": ONE, "exam_id": [0.5]}, "1", "does not give every exam a number"),
    ("format", {"name": "x"}, None, "has 0 arrays of two axes or more"),
    ("format", {"a": ONE[0], "b": ONE[0]}, None, "has 2 arrays of two axes or more"),
    ("format", {"tracings": ONE, "ecg": ONE[0]}, None, "has 2 arrays of two axes or more"),
    ("format", {"ecg": np.full((12, 100), b"x")}, None, "its samples are of type |S1"),
    ("format", {"ecg": np.ones((12, 100), complex)}, None, "its samples are of type complex128"),
    ("length", {"ecg": np.ones((11, 100))}, None, "have shape [11, 100], expected [12 named leads, time]"),
    ("length", {"ecg": np.ones((12, 0))}, None, "it holds no sample"),
    ("rate", {"own": np.ones((12, 100))}, None, "does not say the rate of its samples; say it with --recording_rate"),
]


@pytest.mark.parametrize(("problem", "arrays", "member", "words"), BAD, ids=[words for *_, words in BAD])
def test_a_file_that_cannot_be_trusted_is_refused_by_its_own_problem(tmp_path, problem, arrays, member, words):
    with pytest.raises(RecordError) as caught:
        read_hdf5(write(tmp_path, **arrays), None, NOTHING, member)
    assert caught.value.problem == problem and words in str(caught.value)


def test_samples_that_another_file_holds_are_not_read(tmp_path):
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other", ecg=np.ones((12, 500)))
    path = tmp_path / "A00001.h5"
    layout = h5py.VirtualLayout((12, 500), float)
    layout[:] = h5py.VirtualSource(str(other), "ecg", (12, 500))
    for make in (
        lambda file: file.__setitem__("ecg", h5py.ExternalLink(str(other), "/ecg")),
        lambda file: file.create_virtual_dataset("ecg", layout),
        lambda file: file.create_dataset("ecg", (12, 500), "f8", external=str(other)),
    ):
        with h5py.File(path, "w") as file:
            make(file)
        with pytest.raises(RecordError) as caught:
            read_hdf5(path, None, NOTHING)
        assert caught.value.problem == "outside"


def test_what_a_file_announces_is_compared_with_the_bounds_before_it_is_allocated(tmp_path):
    with h5py.File(tmp_path / "A00001.h5", "w") as file:  # a thousand gigabytes of which none is written
        file.create_dataset("tracings", (100_000, 1_000_000, 12), "f4", chunks=(1, 1000, 12))
        file.create_dataset("exam_id", (100_000,), "i4")
    tracemalloc.start()
    with pytest.raises(RecordError, match="holds 100000 exams of that id"):
        read_hdf5(tmp_path / "A00001.h5", None, NOTHING, "0")
    with h5py.File(tmp_path / "A00001.h5", "w") as file:
        file.create_dataset("ecg", (12, 3_600_001), "f8", chunks=(12, 1000))
    with pytest.raises(RecordError, match="12 signals of 3,600,001 samples, but at most"):
        read_hdf5(tmp_path / "A00001.h5", None, NOTHING)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50e6
