"""CSV recordings: names, times, units, separators and gaps are understood; a fault is told by line and column."""

from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.data.readers import checks
from cgdmer_jax.data.readers.csv_layout import looks_like_one
from cgdmer_jax.data.readers.csv_recording import read_csv_recording
from cgdmer_jax.data.readers.reader import Hints
from cgdmer_jax.data.readers.recording import RecordError

NOTHING = Hints()
SAID = Hints(500.0, None, "mV")


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "r.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "r.csv"


RIGHT = [
    # what stands there, its rows in mV by lead
    ("I,V1\n1,2\n3,4\n", {"I": [1, 3], "V1": [2, 4]}),
    ("\ufeffI;V1\r\n1,5;2\r\n-3e-1;4\r\n", {"I": [1.5, -0.3], "V1": [2, 4]}),
    ("I;V1\n0;0\n0,5;0\n", {"I": [0, 0.5], "V1": [0, 0]}),  # the mark stands further down
    ("# a comment\n\nI\tV1\n1\t\n\t4", {"I": [1, np.nan], "V1": [np.nan, 4]}),
    ('"I","V1"\n"1,5","2"\n', None),  # a comma decimal between commas
    ("V1 (uV),II [V],aVR_mV\n1000,0.002,nan\n", {"V1": [1], "II": [2], "aVR": [np.nan]}),
    (" lead I , Resp, MDC_ECG_LEAD_V1\n1,7,x2\n", None),
    ("Lead I,x,MDC_ECG_LEAD_V1\n1,anything,2\n", {"Lead I": [1], "MDC_ECG_LEAD_V1": [2]}),
    (",I,V1\n0,1,2\n1,3,4\n", {"I": [1, 3], "V1": [2, 4]}),  # as pandas writes it
    ("I\n1\n\n3\n", {"I": [1, np.nan, 3]}),  # of one lead an empty line is a gap
    ("# I V1\n1.0e+00 2.0e+00\n3.0e+00 4.0e+00\n", {"I": [1, 3], "V1": [2, 4]}),  # numpy.savetxt
    ("I,V1\n1,inf\n2,NA\n", {"I": [1, 2], "V1": [np.nan, np.nan]}),
    # As Excel writes them: its own line on the separator, a line of units, cells without a value.
    ("sep=;\r\nI;V1\r\n1,5;2\r\n", {"I": [1.5], "V1": [2]}),
    ("sep=,\nI,V1\n1.5,2\n", {"I": [1.5], "V1": [2]}),
    ("I;V1\nmV;uV\n1,5;2000\n", {"I": [1.5], "V1": [2]}),
    ("sep=;\nI;x;V1\n[mV];bpm;(µV)\n1,5;60;2000\n", {"I": [1.5], "V1": [2]}),
    ("I\nuV\n1500\n", {"I": [1.5]}),
    ("I (mV),V1 (uV)\nmV,uV\n1,2000\n", {"I": [1], "V1": [2]}),
    ("I (mV),V1\nuV,uV\n1,2000\n", None),  # one of the two is wrong
    ("I,V1\nmV,2\n1,2\n", None),
    ("I;V1\n#N/A;2\n1,5;#NV\n", {"I": [np.nan, 1.5], "V1": [2, np.nan]}),
]


@pytest.mark.parametrize(("text", "expected"), RIGHT, ids=[text for text, _ in RIGHT])
def test_columns_are_read_by_their_names(tmp_path, text, expected):
    path = write(tmp_path, text)
    if expected is None:
        with pytest.raises(RecordError, match=r"holds no number in line 2, column \d; correct the file"):
            read_csv_recording(path, None, SAID)
        return
    read = read_csv_recording(path, None, SAID)
    assert read.names == tuple(expected)
    np.testing.assert_allclose(read.signal_mv, [*expected.values()], rtol=1e-6)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
def test_an_encoding_of_spreadsheets_changes_nothing(tmp_path, encoding):
    read = read_csv_recording(write(tmp_path, "I;Größe;V1 (µV)\n1,5;3;2500\n".encode(encoding)), None, SAID)
    assert read.names == ("I", "V1") and read.extra_leads == ("Größe",)
    np.testing.assert_allclose(read.signal_mv, [[1.5], [2.5]])


def test_a_line_of_units_says_that_of_the_times_too(tmp_path):
    read = read_csv_recording(write(tmp_path, "time;I\nms;uV\n0;1500\n2;500\n4;0\n"), None, NOTHING)
    assert read.rate == 500 and read.names == ("I",)
    np.testing.assert_allclose(read.signal_mv, [[1.5, 0.5, 0]])


def test_the_line_of_a_fault_counts_those_of_separator_and_units(tmp_path):
    with pytest.raises(RecordError, match="holds no number in line 5, column 2; correct"):
        read_csv_recording(write(tmp_path, "sep=;\nI;V1\nmV;mV\n1;2\n3;Erika\n"), None, SAID)


def timed(times: list[float] | np.ndarray, name: str = "time_s") -> str:
    return f"{name},I\n" + "".join(f"{time},1\n" for time in times)


@pytest.mark.parametrize(
    ("times", "name", "rate"),
    [
        (np.arange(20) / 500, "time_s", 500),
        (np.arange(20) / 500, "t", 500),
        (3.7 + np.arange(20) * 2, "Time [ms]", 500),
        (np.round(np.arange(3000) / 360, 3), "seconds", 360),
        (np.arange(20) / 257.25, "time (s)", 257.25),
        (np.arange(20) * 10, "ms", 100),
    ],
)
def test_times_give_the_rate(tmp_path, times, name, rate):
    read = read_csv_recording(write(tmp_path, timed(times, name)), None, Hints(1000.0, None, "mV"))
    assert read.rate == pytest.approx(rate, rel=1e-12 if rate == int(rate) else 1e-3)


WRONG_TIMES = [
    (timed(range(5), "time"), "gives no rate of 50 to 10000 Hz; call it time_s or time_ms"),
    (timed(["10:20:00", "10:20:01"], "time"), "holds no number in line 2, column 1"),
    (timed([0.1, 0.1]), "gives no rate"),
    (timed([0.1]), "gives no rate"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_TIMES, ids=[words for _, words in WRONG_TIMES])
def test_times_that_give_no_rate_are_refused_unless_it_is_said(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(RecordError, match=words):
        read_csv_recording(path, None, Hints(unit="mV"))
    assert read_csv_recording(path, None, SAID).rate == 500


def test_a_gap_in_the_times_is_refused_whatever_rate_is_said_and_rounded_times_are_none(tmp_path):
    path = write(tmp_path, timed([0, 0.002, 0.004, 0.016, 0.018]))
    for hints in (Hints(unit="mV"), SAID):
        with pytest.raises(RecordError, match="is not evenly spaced") as caught:
            read_csv_recording(path, None, hints)
        assert caught.value.problem == "multi_segment"
    rounded = write(tmp_path, timed(np.round(np.arange(1001) / 500, 2)))
    assert read_csv_recording(rounded, None, SAID).rate == 500


def test_more_lines_than_are_read_are_refused_before_they_are_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "MOST_SAMPLES", 5)
    path = write(tmp_path, "I,V1\n" + "x,y\n" * 6)
    with pytest.raises(RecordError, match="has 2 signals of 6 samples"):
        read_csv_recording(path, None, SAID)


BAD = [
    # problem, text, hints, words
    ("format", "record,age\nx,5\n", SAID, "holds neither numbers nor names of leads; leave it out"),
    ("format", "", SAID, "holds neither numbers nor names of leads"),
    ("format", b"I,V1\n1,2\n\0\0", SAID, "holds neither numbers nor names of leads"),
    ("format", "I,V1\n1,2\n3,Erika\n", SAID, "holds no number in line 3, column 2; correct the file"),
    ("length", "I,V1\n1,2\n3\n4,5\n", SAID, "is uneven: line 3 has 1 cells, expected 2"),
    ("length", "I,V1\n1,2\n3,4,Erika\n", SAID, "is uneven: line 3 has 3 cells"),
    ("length", "I,V1\n1,2\n3", SAID, "is cut inside its last line: line 3 has 1 cells"),
    ("length", "I,V1\n", SAID, "it holds no sample"),
    ("lead_names", "I,DI\n1,2\n", SAID, 'signals "I" and "DI" are both lead I'),
    ("rate", "I,V1\n1,2\n", NOTHING, "does not say the rate"),
    ("unit", "I,V1\n1,2\n", Hints(500.0), "does not say the unit"),
    ("unit", "I (mV),V1\n1,2\n", Hints(500.0), 'does not say the unit of lead "V1"; say it with --unit'),
    ("unit", "I,V1\n1,2\n", Hints(500.0, None, "mmHg"), 'is in "mmHg", expected V, mV, uV'),
    ("unknown_leads", "1,2\n3,4\n", SAID, "does not say the leads of its samples; say them, one for each column"),
    ("unknown_leads", "1,2\n3,4\n", Hints(500.0, ("I",), "mV"), "have 2 cells and 1 are named"),
]


@pytest.mark.parametrize(("problem", "text", "hints", "words"), BAD, ids=[f"{bad[1]!r} {bad[3]}" for bad in BAD])
def test_a_file_that_cannot_be_trusted_is_refused_by_line_and_column(tmp_path, problem, text, hints, words):
    with pytest.raises(RecordError) as caught:
        read_csv_recording(write(tmp_path, text), None, hints)
    assert caught.value.problem == problem and words in str(caught.value) and "Erika" not in str(caught.value)


def test_hints_name_the_columns_of_a_file_without_names_the_times_too(tmp_path):
    path = write(tmp_path, "0.000,1,2\n0.002,3,4\n0.004,5,6\n")
    read = read_csv_recording(path, None, Hints(None, ("time_s", "V6", "I"), "mV"))
    assert (read.rate, read.names) == (500, ("V6", "I"))
    np.testing.assert_array_equal(read.signal_mv, [[1, 3, 5], [2, 4, 6]])


def test_a_cell_without_a_value_that_comes_first_is_no_comment(tmp_path):
    read = read_csv_recording(write(tmp_path, "#N/A;2\n3;4\n"), None, Hints(500.0, ("I", "V1"), "mV"))
    np.testing.assert_array_equal(read.signal_mv, [[np.nan, 3], [2, 4]])


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b"time,I,V1\n0,1,2\n", True),
        (b"I,patient,age,sex\n1,2,3,4\n", False),
        (b"I, the undersigned\n", False),
        (b"I\nwas here\n", False),
        (b"ecg_id,patient_id,report\n1,2,sinus\n", False),
        (b"1,2\n", False),
        (b"", False),
    ],
)
def test_a_recording_is_told_from_a_table_and_from_a_text(text, is_one):
    assert looks_like_one(text) == is_one
