"""The reader equals wfdb wherever wfdb is right, and refuses by name what wfdb accepts in silence."""

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
from hypothesis.extra import numpy as hnp

from cgdmer_jax.data.readers.wfdb import RECORD_PROBLEMS, RecordError, read_wfdb
from cgdmer_jax.data.readers.wfdb_formats import FLAC_BITS, INVALID, n_bytes
from cgdmer_jax.data.readers.wfdb_header import MOST_SAMPLES
from cgdmer_jax.waveform.conditioning import LEADS, canonical_lead
from tests.read_real_records import HALF_A_MICROVOLT, largest_difference_mv
from tests.read_real_records import oracle_mv as oracle_mv_by_lead
from tests.real_recordings import unpack

LOWEST = {"16": -(2**15), "80": -(2**7), "212": -(2**11), "24": -(2**23), "32": -(2**31)}
EXTRA_UNITS = {"vx": "mV", "Resp": "NU", "ABP": "mmHg", "Pulse": "NU"}  # signals outside the twelve leads
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def oracle_mv(path: Path, leads: list[int]) -> np.ndarray:
    """These signals as wfdb reads them, in float32 millivolts."""
    return wfdb.rdrecord(str(path), channels=leads).p_signal.T.astype(np.float32)


@pytest.fixture(scope="module")
def pieces_of_six():
    with mock.patch("cgdmer_jax.data.readers.wfdb_signal_file.VALUES_AT_ONCE", 6):
        yield


def write(folder: Path, header: str = "", digital: np.ndarray | None = None, name: str = "r1") -> Path:
    """A record of two leads and 100 samples unless told otherwise; `header` replaces the right one."""
    digital = np.arange(200).reshape(2, 100) - 60 if digital is None else digital
    (folder / f"{name}.dat").write_bytes(digital.T.astype("<i2").tobytes())
    (folder / f"{name}.hea").write_text(header or right_header(digital, name), encoding="utf-8")
    return folder / name


def right_header(digital: np.ndarray, name: str = "r1") -> str:
    lines = [f"{name} {len(digital)} 100 {digital.shape[1]}"]
    for lead, samples in zip(("I", "V1"), digital, strict=True):
        lines.append(f"{name}.dat 16 200(5)/mV 16 0 {samples[0]} {samples.sum() % 65536} 0 {lead}")
    return "\n".join(lines) + "\n"


HEADER = right_header(np.arange(200).reshape(2, 100) - 60)


# Equal to wfdb


@one_folder
@given(data=st.data(), storage=st.sampled_from(["16", "16", "80", "212", "24", "32"]))
def test_records_written_by_wfdb_are_read_equal_to_wfdb(tmp_path, data, storage):
    names = data.draw(st.lists(st.sampled_from([*LEADS, *EXTRA_UNITS]), min_size=1, max_size=16, unique=True))
    n_signals, length = len(names), data.draw(st.integers(2, 60))
    leads = [number for number, name in enumerate(names) if name in LEADS]
    integers = st.integers(LOWEST[storage], -LOWEST[storage] - 1)
    digital = data.draw(hnp.arrays(np.int64, (length, n_signals), elements=integers))
    gains = hnp.arrays(np.float64, n_signals, elements=st.sampled_from([200, 1000, 204.8, 4880]))
    baselines = hnp.arrays(np.int64, n_signals, elements=st.integers(-2000, 2000))
    wfdb.wrsamp(
        "made",
        fs=data.draw(st.sampled_from([100, 257, 360, 500.5])),
        units=[EXTRA_UNITS.get(name, "mV") for name in names],
        sig_name=names,
        d_signal=digital,
        fmt=[storage] * n_signals,
        adc_gain=data.draw(gains).tolist(),
        baseline=data.draw(baselines).tolist(),
        write_dir=str(tmp_path),
    )
    if not leads:
        with pytest.raises(RecordError, match="no lead among"):
            read_wfdb(tmp_path / "made")
        return
    recording = read_wfdb(tmp_path / "made")
    np.testing.assert_array_equal(recording.signal_mv, oracle_mv(tmp_path / "made", leads))
    np.testing.assert_array_equal(np.isnan(recording.signal_mv), digital.T[leads] == LOWEST[storage])
    assert recording.rate == wfdb.rdheader(str(tmp_path / "made")).fs
    assert list(recording.names) == [names[number] for number in leads]
    assert list(recording.extra_leads) == [name for name in names if name in EXTRA_UNITS]


@one_folder
@given(storage=st.sampled_from(sorted(INVALID.keys() - FLAC_BITS.keys())), length=st.integers(2, 200))
def test_pieces_join_to_what_wfdb_reads_at_once(tmp_path, pieces_of_six, storage, length):
    """Whatever bytes the file holds; the ends of pieces fall between the packed samples, not into them."""
    size = n_bytes(storage, 5 * length)
    content = np.random.default_rng(length).integers(0, 256, size, dtype=np.uint8)
    if storage == "311":
        content[3::4] &= 0x3F  # the two bits that no sample has, and which wfdb takes for some of the third
    (tmp_path / "made.dat").write_bytes(content.tobytes())
    header = [f"made 5 100 {length}", *(f"made.dat {storage} 200(0)/mV 16 0 7 0 0 {name}" for name in LEADS[:5])]
    (tmp_path / "made.hea").write_text("\n".join(header))
    whole = wfdb.rdrecord(str(tmp_path / "made"), physical=False).d_signal.T
    sums = [f" {total % 65536} 0 {name}" for total, name in zip(whole.sum(axis=1), LEADS[:5], strict=True)]
    lines = [line.replace(f" 0 0 {line.split()[-1]}", total) for line, total in zip(header[1:], sums, strict=True)]
    (tmp_path / "made.hea").write_text("\n".join([header[0], *lines]))
    expected_mv = np.where(whole == INVALID[storage], np.nan, whole / 200).astype(np.float32)
    np.testing.assert_array_equal(read_wfdb(tmp_path / "made").signal_mv, expected_mv)


def test_a_compressed_file_is_read_in_pieces_as_at_once(tmp_path, pieces_of_six):
    digital = np.random.default_rng(0).integers(-30_000, 30_000, (100, 2))
    wfdb.wrsamp("made", 100, ["mV"] * 2, ["I", "V1"], d_signal=digital, fmt=["516"] * 2, adc_gain=[200.0] * 2,
                baseline=[0] * 2, write_dir=str(tmp_path))  # fmt: skip
    np.testing.assert_array_equal(read_wfdb(tmp_path / "made").signal_mv, (digital.T / 200).astype(np.float32))


@pytest.mark.parametrize(
    ("archive", "n_records"),
    [
        ("ptb-xl-500hz-sample.tar.xz", 40),
        ("cinc2021-sample.tar.xz", 138),
        ("ludb-1.0.1.tar.xz", 200),
        ("ptbdb-s0010_re.tar.xz", 1),
    ],
)
def test_real_records_are_read_equal_to_wfdb(shared_data, tmp_path, archive, n_records):
    """`python -m tests.read_real_records` does it for all of them, PTB-XL's 3,734 at 100 Hz too."""
    records = unpack(shared_data / archive, tmp_path)
    assert len(records) == n_records
    for path in records[:: 1 if n_records < 150 else 5]:
        recording = read_wfdb(path)
        assert len(recording.names) == 12
        assert largest_difference_mv(recording, oracle_mv_by_lead(path)) < HALF_A_MICROVOLT


def test_a_record_with_frank_leads_gives_its_twelve_leads_and_names_the_others(shared_data, tmp_path):
    (path,) = unpack(shared_data / "ptbdb-s0010_re.tar.xz", tmp_path)
    recording = read_wfdb(path)
    assert [canonical_lead(name) for name in recording.names] == [*LEADS]
    assert recording.extra_leads == ("vx", "vy", "vz")


@pytest.mark.parametrize(
    ("calibration", "adc_zero", "factor", "offset"),
    [
        ("200(5)/mV", 0, 1 / 200, 5),
        ("200", 0, 1 / 200, 0),  # no unit: millivolts
        ("0.2(5)/uV", 0, 1 / 200, 5),
        ("0.2(5)/µV", 0, 1 / 200, 5),  # wfdb drops the non-ASCII letter and reads volts
        ("2e5(5)/V", 0, 1 / 200, 5),
        ("200(0)/mv", 9, 1 / 200, 0),
        ("200/mV", 9, 1 / 200, 9),  # no baseline: the ADC's zero
    ],
)
def test_gain_baseline_and_unit_are_applied_by_hand_worked_values(tmp_path, calibration, adc_zero, factor, offset):
    header = HEADER.replace("200(5)/mV 16 0", f"{calibration} 16 {adc_zero}")
    digital = np.arange(200).reshape(2, 100) - 60
    expected = (digital - offset) * factor
    np.testing.assert_allclose(read_wfdb(write(tmp_path, header)).signal_mv, expected, rtol=1e-6)


def test_the_lowest_value_of_format_16_is_no_measurement(tmp_path):
    digital = np.arange(200).reshape(2, 100)
    digital[1, 3] = -32768
    recording = read_wfdb(write(tmp_path, right_header(digital), digital))
    assert np.argwhere(np.isnan(recording.signal_mv)).tolist() == [[1, 3]]


def test_bytes_before_the_samples_are_skipped(tmp_path):
    path = write(tmp_path, HEADER.replace(" 16 200", " 16x1+24 200"))
    plain = read_wfdb(write(tmp_path, name="plain")).signal_mv
    path.with_suffix(".dat").write_bytes(bytes(range(24)) + path.with_suffix(".dat").read_bytes())
    np.testing.assert_array_equal(read_wfdb(path).signal_mv, plain)


def test_date_before_time_comments_blank_lines_and_signed_checksums_are_read(tmp_path):
    digital = np.arange(200).reshape(2, 100) - 160
    total = digital[0].sum() % 65536
    header = right_header(digital).replace(f" {total} 0 I", f" {total - 65536} 0 I")
    header = "# made\n\n" + header.replace("100 100", "100/100(0) 100 05-May-2020 14:50:55") + "\n#Age: 49\n"
    assert read_wfdb(write(tmp_path, header, digital)).names == ("I", "V1")


# Refused

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


# Signals beside the twelve leads

BESIDE = [  # calibration and name of a signal that is none of them
    "1(0)/mmHg 16 0 0 {sum} 0 ABP",
    "1/NU 16 0 0 {sum} 0 Resp",
    "0(0)/mV 16 0 0 {sum} 0 vx",
    "x 16 x 0 {sum} 0 two words",
    "200(0)/mV 16 0 0 {sum} 0",  # no name
]


@pytest.mark.parametrize("fields", BESIDE)
@pytest.mark.parametrize("storage", ["16", "212"])
def test_a_signal_beside_the_leads_changes_nothing_in_them_and_is_named(tmp_path, fields, storage):
    digital = np.random.default_rng(0).integers(-900, 900, (4, 100))
    names = ("I", "V1", "vx", "vy")
    wfdb.wrsamp("r1", 100, ["mV"] * 4, [*names], d_signal=digital.T, fmt=[storage] * 4, adc_gain=[200.0] * 4,
                baseline=[0] * 4, write_dir=str(tmp_path))  # fmt: skip
    lines = (tmp_path / "r1.hea").read_text().splitlines()[:5]
    for number in (3, 4):  # twice: two of one name are no fault either
        lines[number] = f"r1.dat {storage} " + fields.format(sum=digital[number - 1].sum() % 65536)
    (tmp_path / "r1.hea").write_text("\n".join(lines))
    recording = read_wfdb(tmp_path / "r1")
    np.testing.assert_array_equal(recording.signal_mv, (digital[:2] / 200).astype(np.float32))
    named = " ".join(fields.split()[6:])
    assert recording.names == ("I", "V1")
    assert recording.extra_leads == ((named,) * 2 if named else ("signal 3 (without name)", "signal 4 (without name)"))


def test_a_file_without_any_lead_is_not_opened(tmp_path):
    header = (
        HEADER.replace("r1 2", "r1 4") + "absent.dat 99x4 1/NU 12 0 0 0 0 Resp\n/dev/zero 16 1/NU 12 0 0 0 0 Pleth\n"
    )
    recording = read_wfdb(write(tmp_path, header))
    assert (recording.names, recording.extra_leads) == (("I", "V1"), ("Resp", "Pleth"))


def test_a_wrong_checksum_of_a_signal_beside_the_leads_says_that_their_file_is_damaged(tmp_path):
    with pytest.raises(RecordError, match='"vx" sums to') as caught:
        read_wfdb(write(tmp_path, HEADER.replace("8950 0 V1", "8951 0 vx")))
    assert caught.value.problem == "checksum"


def test_leads_in_files_of_their_own_and_in_different_units_are_each_read_by_its_line(tmp_path):
    digital = np.arange(200).reshape(2, 100) - 60
    write(tmp_path, digital=digital[:1].repeat(2, axis=0))
    (tmp_path / "b.dat").write_bytes(digital[1].astype("<i2").tobytes())
    (tmp_path / "a.dat").write_bytes(digital[0].astype("<i2").tobytes())
    sums = [samples.sum() % 65536 for samples in digital]
    (tmp_path / "r3.hea").write_text(
        f"r3 2 100 100\nb.dat 16 2(0)/uV 16 0 0 {sums[1]} 0 V1\na.dat 16 200(0)/mV 16 0 0 {sums[0]} 0 I\n"
    )
    recording = read_wfdb(tmp_path / "r3")
    np.testing.assert_allclose(recording.signal_mv, np.stack([digital[1] / 2000, digital[0] / 200]), rtol=1e-6)
    assert recording.names == ("V1", "I")


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
