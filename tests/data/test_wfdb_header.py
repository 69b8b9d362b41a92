"""Headers: every field is parsed in one place for every storage format, and equal to wfdb where wfdb accepts them."""

import os
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.readers.found_records import find_recordings
from cgdmer_jax.data.readers.wfdb import RecordError, read_wfdb
from cgdmer_jax.data.readers.wfdb_formats import FLAC_BITS, INVALID, LARGEST_PADDING, PACKED, n_bytes
from cgdmer_jax.data.readers.wfdb_header import read_header
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
PLAIN = sorted(INVALID.keys() - FLAC_BITS.keys())
LENGTH = 40
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 200000\n".format("0" * 64)


def write(folder: Path, storage: str = "16", record_line: str = "r1 2 100 40", name: str = "r1") -> Path:
    """Leads I and V1 in one file, which wfdb reads too; the header without computed checksums."""
    digital = np.random.default_rng(3).integers(-120, 120, (LENGTH, 2))
    wfdb.wrsamp(name, 100, ["mV"] * 2, ["I", "V1"], d_signal=digital, fmt=[storage if storage in WRITTEN else "16"] * 2,
                adc_gain=[200.0] * 2, baseline=[0] * 2, write_dir=str(folder))  # fmt: skip
    if storage not in WRITTEN:
        content = np.random.default_rng(4).integers(0, 64, n_bytes(storage, 2 * LENGTH), dtype=np.uint8)
        (folder / f"{name}.dat").write_bytes(content.tobytes())
    signals = [f"{name}.dat {storage} 200(0)/mV 16 0 0 0 0 {lead}" for lead in ("I", "V1")]
    (folder / f"{name}.hea").write_text("\n".join([record_line, *signals]) + "\n")
    return folder / name


WRITTEN = {"16", "80", "212", "24", "32", *FLAC_BITS}  # formats that wfdb writes


def rewrite(path: Path, old: str, new: str, encoding: str = "utf-8") -> None:
    text = path.with_suffix(".hea").read_text()
    assert old in text
    path.with_suffix(".hea").write_bytes(text.replace(old, new).encode(encoding))


def by_wfdb(path: Path) -> np.ndarray:
    return wfdb.rdrecord(str(path)).p_signal.T.astype(np.float32)


# Equal to wfdb

rates = st.sampled_from(["100", "100.", "360.0", "257.25", "1000", "50"])
whole = st.integers(-2000, 2000)
blanks = st.sampled_from([" ", "  ", "\t", " \t "])


@st.composite
def record_lines(draw) -> str:
    """All that may follow the number of signals, each field only after those before it."""
    rate = draw(rates) + draw(st.sampled_from(["", "/360", "/1000.5(7)", "/99(-3.5)"]))
    rest = [str(LENGTH), draw(st.sampled_from(["12:30:05", "1:02:03.25", "09:59"])), "01/02/2006"]
    return draw(blanks).join(["r1", "2", rate, *rest[: draw(st.integers(0, 3))]])


@st.composite
def calibrations(draw) -> str:
    gain = draw(st.sampled_from(["200", "200.", "4880.5", "1e3", "-150", "2.5e2", "0.2e+3"]))
    baseline = draw(st.one_of(st.just(""), whole.map(lambda value: f"({value})")))
    return gain + baseline + draw(st.sampled_from(["", "/mV", "/uV", "/V"]))


@st.composite
def headers(draw) -> tuple[str, str]:
    """A header in the form of header(5) and the format that it names."""
    storage, between = draw(st.sampled_from(PLAIN)), draw(blanks)
    form = storage + draw(st.sampled_from(["", "x1", "x1:0", ":0", "+4", "x1:0+4"]))
    lines = [draw(record_lines())]
    for lead in ("I", "aVF"):
        fields = [
            draw(calibrations()),
            draw(st.sampled_from(["16", "12"])),
            str(draw(whole)),
            str(draw(whole)),
            "0",
            "0",
        ]
        lines.append(between.join(["r1.dat", form, *fields, lead]))
    comments = st.lists(st.sampled_from(["# Age: 40", "#", "# \u2028 \x85 \x1c", "  # indented", "", "  "]), max_size=2)
    noted = [line for one in lines for line in (*draw(comments), one)] + draw(comments)
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    return ends.join(noted) + draw(st.sampled_from(["", ends])), storage


@one_folder
@given(made=headers(), seed=st.integers(0, 9))
def test_a_header_of_any_right_form_is_read_as_by_wfdb(tmp_path, made, seed):
    text, storage = made
    path = tmp_path / "r1"
    path.with_suffix(".hea").write_bytes(text.encode())
    skipped = 4 if "+4" in text else 0
    content = np.random.default_rng(seed).integers(0, 64, skipped + n_bytes(storage, 2 * LENGTH), dtype=np.uint8)
    path.with_suffix(".dat").write_bytes(content.tobytes())
    # Oracle and reader get the same lines; wfdb would take the odd characters of a comment for ends of lines.
    (tmp_path / "o1.hea").write_bytes(text.replace(" \u2028 \x85 \x1c", "").encode())
    oracle = wfdb.rdheader(str(tmp_path / "o1"))
    header = read_header(path)
    assert (header.rate, header.length) == (float(oracle.fs), oracle.sig_len)
    for number, line in enumerate(header.signals):
        found = (line.name, line.file_name, line.format, line.byte_offset)
        assert found == (
            oracle.sig_name[number], oracle.file_name[number], oracle.fmt[number], oracle.byte_offset[number] or 0
        )  # fmt: skip
        calibration = line.calibration
        assert (calibration.gain, calibration.baseline, calibration.unit) == (
            oracle.adc_gain[number], oracle.baseline[number], oracle.units[number]
        )  # fmt: skip
        assert line.initial == (oracle.init_value[number] if storage == "8" else 0) and line.checksum is None
    in_mv = np.array([[UNITS_IN_MV[unit]] for unit in oracle.units])
    expected_mv = wfdb.rdrecord(str(tmp_path / "o1")).p_signal.T * in_mv
    np.testing.assert_allclose(read_wfdb(path).signal_mv, expected_mv, rtol=1e-6)


@pytest.mark.parametrize("storage", sorted(FLAC_BITS))
@pytest.mark.parametrize("offset", [0, 7])
def test_compressed_files_are_decoded_as_by_wfdb(tmp_path, storage, offset):
    length = LENGTH - offset
    path = write(tmp_path, storage, f"r1 2 100 {length}")
    rewrite(path, f" {storage} ", f" {storage}+{offset} ")
    expected_mv = by_wfdb(path)
    assert expected_mv.shape == (2, length)
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)


def test_a_compressed_file_of_another_form_than_its_header_says_is_refused(tmp_path):
    path = write(tmp_path, "524")
    for old, new, words in (
        ("524", "508", "its header promises FLAC of 8 bits at most"),
        ("r1 2 100 40", "r1 2 100 41", "has 40 samples, its header promises 41"),
    ):
        rewrite(path, old, new)
        with pytest.raises(RecordError, match=words):
            read_wfdb(path)
        rewrite(path, new, old)
    rewrite(path, "r1 2 100 40\n", "r1 1 100 40\n")
    lines = path.with_suffix(".hea").read_text().split("\n")
    path.with_suffix(".hea").write_text("\n".join(lines[:2]))
    with pytest.raises(RecordError, match="holds 2 signals, its header describes 1"):
        read_wfdb(path)


# Fields that reading does not need, and letters


@pytest.mark.parametrize("storage", ["16", "212", "24", "8", "516"])
@pytest.mark.parametrize(
    "after",
    [" 2006", " 14:50:55 2006", " 05-May-2020 14:50:55", " 12:30:05 99/99/9999", " 25:61:99 01/02/2006", " x y z"],
)
def test_date_and_time_in_any_form_change_nothing_whatever_the_format(tmp_path, storage, after):
    path = write(tmp_path, storage)
    expected_mv = by_wfdb(path)
    rewrite(path, "r1 2 100 40", f"r1 2 100 40{after}")
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\xa0", "\0"])
def test_only_ends_of_lines_end_lines(tmp_path, letter):
    path = write(tmp_path)
    expected_mv = by_wfdb(path)
    rewrite(path, "r1 2 100 40\n", f"# one{letter}two\nr1 2 100 40\n# Dx:{letter}r1.dat 16 1 16 0 0 0 0 II\n")
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)
    rewrite(path, "0 V1", f"0 Re{letter}sp")
    assert read_wfdb(path).extra_leads == (f"Re{letter}sp",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_and_any_end_of_line_are_read(tmp_path, end, mark):
    path = write(tmp_path)
    expected_mv = by_wfdb(path)
    text = path.with_suffix(".hea").read_text()
    path.with_suffix(".hea").write_bytes((mark + text.replace("\n", end)).encode())
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)


def test_a_header_in_utf_16_is_refused_as_that(tmp_path):
    path = write(tmp_path)
    rewrite(path, "r1 2", "r1 2", "utf-16")
    with pytest.raises(RecordError, match=r"r1\.hea is UTF-16; save it as UTF-8") as caught:
        read_wfdb(path)
    assert caught.value.problem == "header"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_microvolts_with_their_sign_are_read_in_either_encoding(tmp_path, encoding):
    path = write(tmp_path)
    expected_mv = by_wfdb(path)
    rewrite(path, "/mV", "/µV", encoding)
    np.testing.assert_allclose(read_wfdb(path).signal_mv, expected_mv / 1000, rtol=1e-6)


@pytest.mark.parametrize("rate", ["3.6e2", "360.", "0.36E+3", "36000e-2"])
def test_a_rate_in_any_form_of_a_number_is_read(tmp_path, rate):
    assert read_wfdb(write(tmp_path, record_line=f"r1 2 {rate} 40")).rate == 360


@pytest.mark.parametrize("in_header", ["NFC", "NFD", "latin-1"])
@pytest.mark.parametrize("on_disk", ["NFC", "NFD", "latin-1"])
def test_a_name_with_an_umlaut_is_found_however_it_is_spelled(tmp_path, in_header, on_disk):
    def spelled(form: str) -> bytes:
        return "müller".encode("latin-1") if form == "latin-1" else unicodedata.normalize(form, "müller").encode()

    path = write(tmp_path)
    expected_mv = by_wfdb(path)
    header = path.with_suffix(".hea").read_bytes().replace(b"r1", spelled(in_header))
    (tmp_path / os.fsdecode(spelled(on_disk) + b".hea")).write_bytes(header)
    path.with_suffix(".dat").rename(tmp_path / os.fsdecode(spelled(on_disk) + b".dat"))
    path.with_suffix(".hea").unlink()
    found = find_recordings(tmp_path)
    assert len(found.recordings) == 1 and not found.sentences
    for asked in (found.recordings[0].path, tmp_path / "müller", tmp_path / unicodedata.normalize("NFD", "müller")):
        np.testing.assert_array_equal(read_wfdb(asked).signal_mv, expected_mv)


def test_a_signal_file_of_another_name_with_an_umlaut_is_not_left_out(tmp_path):
    path = write(tmp_path)
    path.with_suffix(".dat").rename(tmp_path / unicodedata.normalize("NFD", "größe (1).b.dat").replace(" ", "_"))
    rewrite(path, "r1.dat", "größe_(1).b.dat")
    assert read_wfdb(path).names == ("I", "V1")
    found = find_recordings(tmp_path)
    assert not found.sentences and found.n_left_out == 0


@pytest.mark.parametrize("name", ["I" + " " * 90 + "x", "Lead" + " " * 90 + "I", "x" * 4000])
def test_a_name_that_is_cut_is_of_no_lead(tmp_path, name):
    path = write(tmp_path)
    rewrite(path, "0 I\n", f"0 {name}\n")
    recording = read_wfdb(path)
    assert recording.names == ("V1",) and recording.extra_leads == (f"{name[:79]}\u2026",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r1 2 100 40", "r1/{} 2 100 40"),
        ("r1 2 100 40", "r1 {} 100 40"),
        ("r1 2 100 40", "r1 2 {} 40"),
        ("r1 2 100 40", "r1 2 100 {}"),
        ("r1.dat", "{}.dat"),
        (" 16 200", " {} 200"),
        ("200(0)/mV", "{}/mV"),
        ("200(0)/mV", "200/{}"),
        ("/mV 16 0 0", "/mV 16 {} 0"),
        ("0 0 0 V1", "0 0{} 0 V1"),
        ("0 0 0 V1", "0 0 0 {}"),
        ("0 I\n", "0 {}\n"),
    ],
)
def test_a_field_of_any_length_is_told_in_a_short_sentence(tmp_path, old, new):
    path = write(tmp_path)
    rewrite(path, old, new.format("9" * 100_000))
    try:
        assert len(read_wfdb(path).extra_leads[0]) == 80
    except RecordError as fault:
        assert len(str(fault)) < len(str(path)) + 400


# Length and checksum not given


@pytest.mark.parametrize("storage", [*PLAIN, *sorted(FLAC_BITS)])
@pytest.mark.parametrize("given", ["", " 0", " 0 12:30:05 01/02/2006"])
def test_a_length_that_is_not_given_follows_from_the_file(tmp_path, storage, given):
    path = write(tmp_path, storage)
    expected_mv = by_wfdb(path)
    rewrite(path, "r1 2 100 40", f"r1 2 100{given}")
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)


@pytest.mark.parametrize("n_signals", [1, 2, 5])
@pytest.mark.parametrize("storage", ["212", "311", "16", "24"])
def test_without_a_length_as_many_samples_are_read_as_wfdb_finds(tmp_path, storage, n_signals):
    names = ["I", "II", "III", "V1", "V2"][:n_signals]
    (tmp_path / "r1.hea").write_text(
        "\n".join([f"r1 {n_signals} 100", *(f"r1.dat {storage} 200/mV 16 0 0 0 0 {name}" for name in names)])
    )
    n_refused = 0
    for size in range(15, 33):
        (tmp_path / "r1.dat").write_bytes(bytes(range(size)))
        oracle = wfdb.rdrecord(str(tmp_path / "r1")).p_signal.T.astype(np.float32)
        if size - n_bytes(storage, oracle.size) > (LARGEST_PADDING if storage in PACKED else 0):
            n_refused += 1
            with pytest.raises(RecordError, match=f"has {size} bytes, its header gives no length, and"):
                read_wfdb(tmp_path / "r1")
        else:
            np.testing.assert_array_equal(read_wfdb(tmp_path / "r1").signal_mv, oracle)
    assert n_refused < 18 and (n_refused > 0) == (n_signals == 5 or storage not in PACKED)


def test_without_a_length_files_of_two_lengths_and_none_and_too_much_are_refused(tmp_path):
    path = write(tmp_path, record_line="r1 2 100")
    rewrite(path, "r1.dat 16 200(0)/mV 16 0 0 0 0 V1", "r2.dat 16 200(0)/mV 16 0 0 0 0 V1")
    for sizes, words in (
        ((80, 78), r"r1\.dat has 80 bytes, its header gives no length, and 39 samples of 1 signals take 78"),
        ((80, 0), "holds no sample"),
        ((1 << 33, 1 << 33), "2 signals of 4,294,967,296 samples, but at most"),
    ):
        for file, size in zip(("r1.dat", "r2.dat"), sizes, strict=True):
            with (tmp_path / file).open("wb") as opened:
                opened.truncate(size)
        tracemalloc.start()
        with pytest.raises(RecordError, match=words) as caught:
            read_wfdb(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.problem in ("length", "size") and peak_bytes < 1e6


@pytest.mark.parametrize("length", [" 40", ""])
def test_checksums_of_0_in_all_signals_are_not_computed_ones(tmp_path, length):
    path = write(tmp_path, record_line=f"r1 2 100{length}")
    expected_mv = by_wfdb(path)
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)
    sums = wfdb.rdrecord(str(path), physical=False).d_signal.sum(axis=0) % 65536
    assert sums.all()
    rewrite(path, "0 0 0 0 V1", "0 0 -65536 0 V1")  # 0 as well: a checksum has 16 bits
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)
    rewrite(path, "0 0 -65536 0 V1", f"0 0 {sums[1] + 1} 0 V1")  # one is computed, so the other one's 0 is a sum
    if not length:  # header(5): none is verified then
        np.testing.assert_array_equal(read_wfdb(path).signal_mv, expected_mv)
        return
    with pytest.raises(RecordError, match='"I" sums to') as caught:
        read_wfdb(path)
    assert caught.value.problem == "checksum"


# Files that are not there


@pytest.mark.parametrize(("suffix", "problem"), [(".hea", "no_header"), (".dat", "no_signal_file")])
@pytest.mark.parametrize("storage", ["16", "516"])
def test_a_git_lfs_pointer_is_told_as_such(tmp_path, suffix, problem, storage):
    path = write(tmp_path, storage)
    path.with_suffix(suffix).write_text(POINTER)
    with pytest.raises(RecordError, match=rf"r1\{suffix} is a Git LFS pointer .*; run git lfs pull") as caught:
        read_wfdb(path)
    assert caught.value.problem == problem
