"""NumPy's files: nothing is unpickled, headers are compared with sizes, what is unsaid is asked for."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.readers import numpy_file
from cgdmer_jax.data.readers.numpy_file import members, read_numpy
from cgdmer_jax.data.readers.reader import Hints, Location
from cgdmer_jax.data.readers.recording import RecordError

TWO = Hints(500.0, ("I", "V1"), "uV")
SIGNAL = np.arange(200).reshape(2, 100)


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def npz(**arrays) -> bytes:
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


def write(folder: Path, content: bytes) -> Path:
    (folder / "r.npz").write_bytes(content)
    return folder / "r.npz"


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("axes", [(2, 100), (100, 2)])
def test_either_order_of_axes_is_told_by_the_number_of_leads(tmp_path, axes):
    signal = SIGNAL if axes[0] == 2 else SIGNAL.T
    read = read_numpy(write(tmp_path, npy(signal)), None, TWO)
    np.testing.assert_allclose(read.signal_mv, SIGNAL / 1000, rtol=1e-6)


def test_what_a_file_says_goes_before_a_hint_and_other_leads_are_named(tmp_path):
    path = write(
        tmp_path, npz(signal=np.zeros((3, 100)), leads=["V1", "Resp", "DII"], rate=250.0, other=np.zeros((9, 9)))
    )
    read = read_numpy(path, None, TWO)
    assert (read.rate, read.names, read.extra_leads) == (250, ("V1", "DII"), ("Resp",))


@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
def test_what_a_converter_marks_as_not_measured_is_a_gap(tmp_path, dtype):
    samples = np.array([[-32768, 1, 2], [3, 4, -32767]], dtype)
    read = read_numpy(write(tmp_path, npy(samples)), None, TWO)
    np.testing.assert_allclose(read.signal_mv * 1000, [[np.nan, 1, 2], [3, 4, -32767]])
    assert np.isfinite(read_numpy(write(tmp_path, npy(samples.astype("f4"))), None, TWO).signal_mv).all()


def test_many_recordings_go_by_number(tmp_path):
    many = np.stack([SIGNAL, -SIGNAL])
    for content in (npy(many), npz(signal=many)):
        path = write(tmp_path, content)
        assert members(path, None) == [Location(path, "0"), Location(path, "1")]
        np.testing.assert_allclose(read_numpy(path, None, TWO, "1").signal_mv, -SIGNAL / 1000, rtol=1e-6)


def test_a_recording_among_many_is_read_without_those_before_it_or_the_file_is_small(tmp_path, monkeypatch):
    many = np.arange(6000, dtype="f4").reshape(30, 2, 100)
    np.savez(tmp_path / "plain.npz", rate=500.0, signal=many)
    np.savez_compressed(tmp_path / "packed.npz", signal=many)
    read = read_numpy(tmp_path / "packed.npz", None, TWO, "29")
    np.testing.assert_allclose(read.signal_mv, many[29] / 1000, rtol=1e-6)
    monkeypatch.setattr(numpy_file, "MOST_PACKED_BYTES", 23_999)
    with pytest.raises(RecordError, match=r"packs 24,000 bytes of 30 recordings.*numpy\.savez"):
        read_numpy(tmp_path / "packed.npz", None, TWO, "29")
    with pytest.raises(RecordError, match="packs 24,000 bytes of 30 recordings"):
        members(tmp_path / "packed.npz", None)
    monkeypatch.delattr(zipfile.ZipExtFile, "seek")
    read = read_numpy(tmp_path / "plain.npz", None, TWO, "29")
    np.testing.assert_allclose(read.signal_mv, many[29] / 1000, rtol=1e-6)
    assert len(members(tmp_path / "plain.npz", None)) == 30


def with_shape(content: bytes, old: str, new: str) -> bytes:
    """The same header of another shape, of the same length."""
    assert len(old) == len(new) and old.encode() in content
    return content.replace(old.encode(), new.encode())


MANY = npy(np.stack([SIGNAL, SIGNAL]))
BAD = [
    # problem, content, member, words
    ("format", npy(np.array([[Trap()]])), None, "holds Python's objects, which are not unpickled"),
    ("format", npz(signal=np.array([[Trap()]])), None, "holds Python's objects, which are not unpickled"),
    ("format", npz(signal=SIGNAL, leads=np.array([Trap()])), None, "holds Python's objects, which are not unpickled"),
    ("header", npz(signal=SIGNAL, rate="fast"), None, 'its array "rate" is none'),
    ("header", npz(signal=SIGNAL, rate=[1, 2]), None, 'its array "rate" is none'),
    ("header", npz(signal=SIGNAL, unit=3), None, 'its array "unit" is none'),
    ("header", npz(signal=SIGNAL, leads=[1, 2]), None, 'its array "leads" is none'),
    (
        "format",
        npz(a=SIGNAL, b=SIGNAL),
        None,
        'has 2 arrays of two axes or more; call the one with the samples "signal"',
    ),
    ("format", npz(rate=3), None, "has 0 arrays"),
    ("format", npy(np.full((2, 100), "x")), None, "its samples are of type <U1"),
    ("length", npy(SIGNAL)[:-1], None, "and has 1,727; fetch"),
    ("length", npy(SIGNAL) + b"0", None, "and has 1,729; fetch"),
    ("length", with_shape(npy(SIGNAL), "(2, 100), }  ", "(2, 99999), }"), None, "takes 1,600,"),
    ("header", with_shape(npy(SIGNAL), "(2, 100)", "(2, -10)"), None, "has no readable shape"),
    ("length", npy(SIGNAL)[:9], None, "ends inside an array"),
    ("header", with_shape(npy(SIGNAL), "(2, 100)", "(2, 10x)"), None, "has no readable header"),
    ("length", MANY, None, "holds 2 recordings; name one as r.npz#0"),
    ("no_signal_file", MANY, "2", "holds 2 recordings; name one of them"),
    ("no_signal_file", MANY, "-1", "holds 2 recordings; name one of them"),
    ("format", npz(signal=SIGNAL)[:-30], None, "is no .npz, or a damaged one"),
    ("length", npy(np.zeros((3, 100))), None, "have shape [3, 100], expected [2 named leads, time]"),
]


@pytest.mark.parametrize(("problem", "content", "member", "words"), BAD, ids=[f"{n} {b[3]}" for n, b in enumerate(BAD)])
def test_a_file_that_cannot_be_trusted_is_refused_by_its_own_problem(
    tmp_path, monkeypatch, problem, content, member, words
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError) as caught:
        read_numpy(write(tmp_path, content), None, TWO, member)
    assert caught.value.problem == problem and words in str(caught.value)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(("unsaid", "problem"), [("rate", "rate"), ("leads", "unknown_leads"), ("unit", "unit")])
def test_what_neither_file_nor_hint_says_is_asked_for(tmp_path, unsaid, problem):
    facts = {"rate": 500.0, "leads": ("I", "V1"), "unit": "uV"}
    del facts[unsaid]
    flag = {"rate": "--recording_rate"}.get(unsaid, f"--{unsaid}")
    with pytest.raises(RecordError, match=f"does not say the {unsaid} of its samples; say it with {flag}$") as caught:
        read_numpy(write(tmp_path, npy(SIGNAL)), None, Hints(**facts))
    assert caught.value.problem == problem
    for value, words in ((0.0, 'rate is "0"'), (float("nan"), 'rate is "nan"')):
        with pytest.raises(RecordError, match=words):
            read_numpy(write(tmp_path, npy(SIGNAL)), None, Hints(value, ("I", "V1"), "uV"))


def test_an_entry_that_would_unpack_into_more_than_its_header_says_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "r.npz", "w", zipfile.ZIP_DEFLATED) as entries:
        entries.writestr("signal.npy", npy(SIGNAL) + bytes(10_000_000))
    with pytest.raises(RecordError, match="takes 1,728 bytes and has 10,001,728"):
        read_numpy(tmp_path / "r.npz", None, TWO)
