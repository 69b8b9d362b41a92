"""Marks of waves in WFDB annotation files: all of LUDB's as wfdb reads them, written ones, and damaged ones."""

import numpy as np
import pytest
import wfdb

from cgdmer_jax.data.readers.recording import RecordError, Wave
from cgdmer_jax.data.readers.wfdb_annotations import MOST_BYTES, read_marks, read_waves
from cgdmer_jax.waveform.lead_names import LEADS
from tests.data.layouts import unpacked

SYMBOLS = {"(": 39, ")": 40, "p": 24, "N": 1, "t": 27}
END = b"\0\0"
ONE_LEAD = {"V1": "v1"}


def words(*values):
    return np.array(values, "<u2").tobytes()


def mark(letter, interval):
    return words(SYMBOLS[letter] << 10 | interval)


def skip(interval):
    """annot(5): the interval of the next annotation as a long of a PDP-11, its upper half first."""
    return words(59 << 10, interval >> 16 & 0xFFFF, interval & 0xFFFF)


def write_marks(folder, text, step=10, first=100):
    """Marks `step` samples apart."""
    intervals = [first] + [step] * (len(text) - 1)
    content = b"".join(mark(letter, interval) for letter, interval in zip(text, intervals, strict=True))
    return write(folder, content + END)


def write(folder, content):
    (folder / "r1.v1").write_bytes(content)
    return folder / "r1"


@pytest.mark.shared_data
def test_every_mark_of_ludb_is_where_wfdb_reads_it(shared_data, tmp_path):
    folder = unpacked(shared_data / "ludb-1.0.1.tar.xz", tmp_path) / "data"
    n_marks = 0
    for number in range(1, 201):
        for lead in LEADS:
            theirs = wfdb.rdann(str(folder / f"{number}"), lead.lower())
            ours = read_marks(folder / f"{number}", lead.lower())
            assert ours == list(zip(theirs.sample.tolist(), theirs.symbol, strict=True))
            n_marks += len(ours)
    assert n_marks == 175_167


@pytest.mark.parametrize("other", ["V", "S", "A"])
def test_marks_that_wfdb_wrote_are_read_among_others_texts_and_long_pauses(tmp_path, other):
    samples = np.array([5, 2000, 2001, 2009, 400_000, 400_003, 400_050])
    symbols = ["(", "N", ")", other, "(", "t", ")"]
    notes = ["", "odd", "", "even", "", "", ""]
    wfdb.wrann(
        *("r1", "ii", samples),
        symbol=symbols,
        subtype=np.arange(7),
        chan=np.arange(7),
        num=np.arange(7),
        aux_note=notes,
        write_dir=str(tmp_path),
    )
    expected = [(sample, letter) for sample, letter in zip(samples.tolist(), symbols, strict=True) if letter != other]
    assert read_marks(tmp_path / "r1", "ii") == expected


def test_whole_waves_are_kept_and_a_lead_is_annotated_between_those_that_follow_each_other(tmp_path):
    waves, n_left_out, unread = read_waves(write_marks(tmp_path, "(p)(N)N)(t)"), ONE_LEAD, 500.0, 1000)
    assert waves == (
        Wave(6, 0, 100, None, 150),
        Wave(6, 1, 100, 110, 120),
        Wave(6, 2, 130, 140, 150),
        Wave(6, 0, 180, None, 200),  # the QRS complex before it has no onset
        Wave(6, 3, 180, 190, 200),
    )
    assert (n_left_out, unread) == (2, ())


@pytest.mark.parametrize("text", ["", "N", "((tt))", "()N", "(p"])
def test_a_lead_without_a_whole_wave_is_not_annotated(tmp_path, text):
    path = write(tmp_path, END) if not text else write_marks(tmp_path, text)
    assert read_waves(path, ONE_LEAD, 500.0, 1000) == ((), len(text), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends before the mark of its end"),
        (mark("(", 10), "ends before"),
        (mark("(", 10) + b"\0", "ends before"),
        (words(59 << 10, 0), "ends before"),
        (words(63 << 10 | 1000) + b"text", "ends before"),
        (mark("(", 10) + END + mark(")", 10), "goes on after the mark of its end"),
        (words(22 << 10, 63 << 10 | 24) + b"## time resolution: 1000" + END, "samples of another rate"),
        (mark("(", 50) + skip(-20) + mark("p", 0) + END, "out of order"),
        (skip(-20) + mark("(", 0) + END, "outside of the 1,000 samples"),
        (mark("(", 1000) + END, "outside of the 1,000 samples"),
        (skip(1 << 30) + mark("(", 0) + END, "outside of the 1,000 samples"),
        (b"".join(mark(letter, 1) for letter in "(p)(N)") + END, "two waves within 10 ms"),
        (b"\1" * (MOST_BYTES + 1), "exceeds 1,048,576 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 98\n", "Git LFS"),
    ],
)
def test_a_damaged_file_costs_the_waves_of_its_lead_and_is_named(tmp_path, content, message):
    path = write(tmp_path, content)
    (tmp_path / "r1.ii").write_bytes(b"".join(mark(letter, 10) for letter in "(N)") + END)
    waves, n_left_out, (sentence,) = read_waves(path, {"II": "ii", "V1": "v1"}, 500.0, 1000)
    assert waves == (Wave(1, 0, 10, None, 30), Wave(1, 2, 10, 20, 30)) and n_left_out == 0
    assert sentence.startswith("record r1: r1.v1 ") and message in sentence


def test_a_missing_file_and_one_outside_of_the_collection_are_named_too(tmp_path):
    (tmp_path / "inside").mkdir()
    write_marks(tmp_path, "(N)")
    (tmp_path / "inside/r1.v1").symlink_to(tmp_path / "r1.v1")
    root = tmp_path / "inside"
    waves, _, unread = read_waves(root / "r1", {"II": "ii", "V1": "v1"}, 500.0, 1000, root)
    assert waves == () and "r1.ii does not exist" in unread[0] and "outside of the collection" in unread[1]


def test_any_bytes_are_marks_or_one_sentence(tmp_path):
    draw = np.random.default_rng(0)
    n_read = 0
    for _ in range(500):
        content = draw.choice(np.array([1, 24, 27, 39, 40, 59, 60, 61, 62, 63, 22, 50, 0]), draw.integers(0, 40))
        values = content.astype(np.uint16) << 10 | draw.integers(0, 30, len(content)).astype(np.uint16)
        path = write(tmp_path, values.tobytes() + END * int(draw.integers(0, 2)))
        waves, _, unread = read_waves(path, ONE_LEAD, 500.0, 1000)
        try:
            read_marks(path, "v1")
            n_read += 1
        except RecordError:
            assert len(unread) == 1 and waves == ()
    assert 50 < n_read < 450
