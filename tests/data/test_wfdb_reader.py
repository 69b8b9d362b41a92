"""Records that are damaged, too large or elsewhere are refused by name, those that wfdb accepts in silence too."""

import errno
import os
import pickle
import tracemalloc
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.readers.checks import MOST_SAMPLES
from cgdmer_jax.data.readers.wfdb import RECORD_PROBLEMS, RecordError, read_wfdb
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.wfdb_records import HEADER, write

one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
LINES = HEADER.splitlines()
MIXED = [LINES[1], "r2.dat 16 200 16 0 0 0 0 II", LINES[2]]
BAD = [
    # problem, what wfdb does ("reads": silently), header, words of the sentence
    ("header", "raises", "\n", "is empty"),
    ("header", "raises", "<html> 404\n", "does not start with a WFDB record line"),
    ("header", "raises", HEADER.replace("r1 2", "r1 two"), 'number of signals is "two"'),
    ("header", "raises", HEADER.replace("r1 2", "r1 -2"), "announces -2 signals, so there is no recording"),
    ("header", "raises", HEADER.replace("r1 2", "r1 0"), "announces 0 signals, so there is no recording in it"),
    ("header", "raises", HEADER.replace("r1 2", "r1 3"), "announces 3 signals and describes 2"),
    ("header", "raises", HEADER.replace("r1 2", "r1 1"), "announces 1 signals and describes 2"),
    ("header", "raises", HEADER.replace("r1.dat", "../r1.dat"), "../r1.dat"),
    ("header", "raises", HEADER.replace("r1.dat", "/etc/passwd"), "/etc/passwd"),
    ("header", "raises", HEADER.replace("16 0 -60", "16 x -60"), 'ADC zero is "x"'),
    ("multi_segment", "raises", "r1/2 2 100 200\nr1 100\nr1 100\n", "several segments (r1/2)"),
    ("size", "raises", HEADER.replace("r1 2 100 100", "r1 65 100 100"), "at most 64"),
    ("size", "raises", HEADER.replace("100 100", f"100 {MOST_SAMPLES + 1}"), "3,600,000"),
    ("size", "raises", "#" * 1_000_001, "1,000,000 bytes"),
    ("rate", "reads", HEADER.replace("2 100 100", "2 0 100"), 'rate is "0"'),
    ("rate", "reads", HEADER.replace("2 100 100", "2 25 100"), 'rate is "25"'),
    ("rate", "reads", HEADER.replace("2 100 100", "2"), "gives no sampling rate"),
    ("rate", "raises", HEADER.replace("2 100 100", "2 nan 100"), 'rate is "nan"'),
    ("length", "raises", HEADER.replace("100 100", "100 -100"), 'length is "-100"'),
    ("length", "reads", HEADER.replace("100 100", "100 x"), 'length is "x"'),
    ("length", "raises", HEADER.replace("100 100", "100 101"), "has 400 bytes, its header promises 404"),
    ("length", "reads", HEADER.replace("100 100", "100 99"), "has 400 bytes, its header promises 396"),
    ("format", "raises", HEADER.replace(" 16 200", " 17 200"), 'format "17"'),
    ("format", "raises", HEADER.replace(" 16 200", " 16x2 200"), 'format "16x2"'),
    ("format", "raises", HEADER.replace(" 16 200", " 16:3 200"), 'format "16:3"'),
    ("format", "raises", HEADER.replace(" 16 200", " 516 200"), "is no FLAC file"),
    ("gain", "reads", HEADER.replace("200(5)/mV", "0(5)/mV"), 'gain "0(5)/mV"'),
    ("gain", "reads", HEADER.replace("200(5)/mV", "1e-999"), 'gain "1e-999"'),
    ("gain", "reads", HEADER.replace("200(5)/mV", "1e-320"), 'gain "1e-320"'),
    ("gain", "reads", HEADER.replace("200(5)/mV", "-1e300/uV"), 'gain "-1e300/uV"'),
    ("gain", "raises", HEADER.replace("200(5)/mV", "1e999"), 'gain "1e999"'),
    ("unit", "reads", HEADER.replace("/mV", "/mmHg"), 'is in "mmHg", expected V, mV, uV'),
    ("lead_names", "reads", HEADER.replace("0 V1", "0 i"), 'signals "I" and "i" are both lead I'),
    ("lead_names", "reads", HEADER.replace("0 V1", "0 DI"), 'signals "I" and "DI" are both lead I'),
    (
        "unknown_leads",
        "reads",
        "\n".join([LINES[0], *["r1.dat 16 200"] * 2]),
        "no lead among signal 1 (without",
    ),
    ("unknown_leads", "reads", HEADER.replace("0 V1", "0 E1").replace("0 I", "0 E0"), "no lead among E0, E1 is known"),
    ("header", "raises", "r1 3 100 100\n" + "\n".join(MIXED), 'signals of "r1.dat" do not stand together'),
    ("format", "raises", HEADER.replace(" 16 200", " 212 200", 1), "have different formats"),
    ("length", "raises", HEADER.replace(" 16 200", " 24 200"), "has 400 bytes, its header promises 600"),
    ("checksum", "reads", HEADER.replace(" 64486 0", " 64487 0"), 'lead "I" sums to'),
]


@pytest.mark.parametrize(("problem", "by_wfdb", "header", "words"), BAD, ids=lambda value: str(value)[:30])
def test_a_bad_header_is_refused_by_its_own_problem(tmp_path, problem, by_wfdb, header, words):
    path = write(tmp_path, header)
    assert header != HEADER
    with pytest.raises(RecordError) as caught:
        read_wfdb(path)
    assert caught.value.problem == problem
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.record == str(path) and caught.value.record in str(caught.value)


@pytest.mark.parametrize(
    "header", [header for _, by_wfdb, header, _ in BAD if by_wfdb == "reads"], ids=lambda header: header[:40]
)
def test_wfdb_accepts_in_silence_what_is_refused_here(tmp_path, header):
    record = wfdb.rdrecord(str(write(tmp_path, header)))
    assert record.p_signal.size > 0


def test_missing_files_are_refused(tmp_path):
    path = write(tmp_path)
    path.with_suffix(".dat").unlink()
    with pytest.raises(RecordError, match=r"r1\.dat does not exist") as caught:
        read_wfdb(path)
    assert caught.value.problem == "no_signal_file"
    with pytest.raises(RecordError, match=r"r2\.hea does not exist") as caught:
        read_wfdb(tmp_path / "r2")
    assert caught.value.problem == "no_header"


def test_what_stands_in_the_place_of_a_file_or_cannot_be_read_is_a_fault_of_the_record(tmp_path):
    path = write(tmp_path)
    path.with_suffix(".dat").unlink()
    path.with_suffix(".dat").mkdir()
    with pytest.raises(RecordError, match=r"r1\.dat is not a file") as caught:
        read_wfdb(path)
    assert caught.value.problem == "unreadable"
    os.mkfifo(tmp_path / "r2.hea")  # opening it would wait for ever
    with pytest.raises(RecordError, match=r"r2\.hea is not a file"):
        read_wfdb(tmp_path / "r2")
    for name in ("r" * 300, "r\0"):
        with pytest.raises(RecordError, match=r"does not exist") as caught:
            read_wfdb(tmp_path / name)
        assert caught.value.problem == "no_header"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("suffix", [".hea", ".dat"])
def test_what_the_system_refuses_is_told_as_a_fault_of_the_record(tmp_path, number, suffix):
    path = write(tmp_path)
    opened = Path.open

    def refuse(file, *args, **kwargs):
        if file.suffix == suffix:
            raise OSError(number, os.strerror(number), str(file))
        return opened(file, *args, **kwargs)

    with mock.patch.object(Path, "open", refuse), pytest.raises(RecordError) as caught:
        read_wfdb(path)
    assert caught.value.problem == "unreadable" and f"({os.strerror(number)})" in str(caught.value)


# Bounds


def test_of_64_signals_no_more_is_held_than_the_leads(tmp_path):
    length, names = 100_000, ["I", *(f"X{number}" for number in range(63))]
    lines = [f"r1 64 1000 {length}", *(f"r1.dat 16 200/mV 16 0 0 0 0 {name}" for name in names)]
    (tmp_path / "r1.hea").write_text("\n".join(lines))
    with (tmp_path / "r1.dat").open("wb") as file:
        file.truncate(64 * length * 2)
    tracemalloc.start()
    recording = read_wfdb(tmp_path / "r1")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert recording.signal_mv.shape == (1, length) and len(recording.extra_leads) == 63
    assert peak_bytes < 8e6  # the file has 12.8e6


@pytest.mark.parametrize("storage", ["16", "8", "212"])
def test_what_the_files_do_not_hold_is_refused_before_anything_is_allocated(tmp_path, storage):
    lines = [f"r1 12 1000 {MOST_SAMPLES}", *(f"r1.dat {storage} 200/mV 16 0 0 0 0 {name}" for name in LEADS)]
    path = write(tmp_path, "\n".join(lines))
    tracemalloc.start()
    with pytest.raises(RecordError) as caught:
        read_wfdb(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.problem == "length" and peak_bytes < 1e6


# Below a root


def test_links_that_leave_the_root_are_refused_and_links_within_it_followed(tmp_path):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    inside = write(root / "a")
    (root / "b").symlink_to(root / "a")
    assert read_wfdb(root / "b" / "r1", root).names == read_wfdb(inside, root).names
    elsewhere = tmp_path / "root2"  # of a name that begins alike
    elsewhere.mkdir()
    write(elsewhere)
    (root / "c").symlink_to(elsewhere)
    (root / "a" / "r4.hea").symlink_to(elsewhere / "r1.hea")
    for path in (root / "c" / "r1", root / "a" / "r4", root / ".." / "root2" / "r1", elsewhere / "r1"):
        assert read_wfdb(path).names == ("I", "V1")
        with pytest.raises(RecordError) as caught:
            read_wfdb(path, root)
        assert caught.value.problem == "outside"
    inside.with_suffix(".dat").unlink()
    inside.with_suffix(".dat").symlink_to(elsewhere / "r1.dat")
    with pytest.raises(RecordError, match=r"r1\.dat is, or lies behind, a link to outside") as caught:
        read_wfdb(inside, root)
    assert caught.value.problem == "outside"


def test_every_problem_is_provoked_by_a_test():
    assert {problem for problem, *_ in BAD} | {"no_header", "no_signal_file", "unreadable", "outside"} == set(
        RECORD_PROBLEMS
    )


@pytest.mark.parametrize("storage", ["16", "212", "24"])
@pytest.mark.parametrize("lost_bytes", [1, 2, 90])
def test_a_truncated_signal_file_is_refused(tmp_path, storage, lost_bytes):
    digital = np.arange(200).reshape(100, 2)
    wfdb.wrsamp(
        "cut", 100, ["mV"] * 2, ["I", "II"], d_signal=digital, fmt=[storage] * 2, adc_gain=[200] * 2,
        baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    file = tmp_path / "cut.dat"
    file.write_bytes(file.read_bytes()[:-lost_bytes])
    with pytest.raises(RecordError) as caught:
        read_wfdb(tmp_path / "cut")
    assert caught.value.problem in ("length", "format")


@one_folder
@given(bit=st.integers(0, 2 * 200 * 8 - 1))
def test_any_flipped_bit_of_the_samples_is_found(tmp_path, bit):
    path = write(tmp_path)
    content = bytearray(path.with_suffix(".dat").read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.with_suffix(".dat").write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_wfdb(path)
    assert caught.value.problem == "checksum"


@one_folder
@given(data=st.data())
def test_a_damaged_header_raises_a_record_error_or_reads_finite_leads(tmp_path, data):
    header = bytearray(HEADER.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(header) - 1))
        header[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        header = header or bytearray(b" ")
    path = write(tmp_path)
    path.with_suffix(".hea").write_bytes(header)
    try:
        assert np.isfinite(read_wfdb(path).signal_mv).all()
    except RecordError as error:
        assert error.problem in RECORD_PROBLEMS


def test_a_record_error_survives_the_way_between_processes(tmp_path):
    with pytest.raises(RecordError) as caught:
        read_wfdb(tmp_path / "absent")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.record, error.field, error.problem, str(error)) == (
        caught.value.record, "header", "no_header", str(caught.value)
    )  # fmt: skip


def test_a_record_may_be_named_by_its_header_file(tmp_path):
    write(tmp_path, HEADER)
    by_header = read_wfdb(tmp_path / "r1.hea")
    assert by_header.path == read_wfdb(tmp_path / "r1").path
    np.testing.assert_array_equal(by_header.signal_mv, wfdb.rdrecord(str(tmp_path / "r1")).p_signal.T.astype("f4"))


def test_a_folder_in_place_of_a_record_is_told(tmp_path):
    with pytest.raises(RecordError, match=r"\.hea does not exist; name a record in that folder"):
        read_wfdb(tmp_path)
