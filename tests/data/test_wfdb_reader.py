"""The reader equals wfdb wherever wfdb is right, and refuses by name what wfdb accepts in silence."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cgdmer_jax.data.wfdb_header import MOST_SAMPLES
from cgdmer_jax.data.wfdb_reader import RECORD_PROBLEMS, RecordError, read_wfdb
from cgdmer_jax.waveform import condition
from tests.real_recordings import unpack

LOWEST = {"16": -(2**15), "80": -(2**7), "212": -(2**11), "24": -(2**23), "32": -(2**31)}
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def oracle_mv(path: Path) -> np.ndarray:
    """What wfdb reads, in float32 millivolts."""
    record = wfdb.rdrecord(str(path))
    assert {unit.casefold() for unit in record.units} == {"mv"}
    return record.p_signal.T.astype(np.float32)


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
    n_signals, length = data.draw(st.integers(1, 15)), data.draw(st.integers(2, 60))
    integers = st.integers(LOWEST[storage], -LOWEST[storage] - 1)
    digital = data.draw(hnp.arrays(np.int64, (length, n_signals), elements=integers))
    gains = hnp.arrays(np.float64, n_signals, elements=st.sampled_from([200, 1000, 204.8, 4880]))
    baselines = hnp.arrays(np.int64, n_signals, elements=st.integers(-2000, 2000))
    wfdb.wrsamp(
        "made",
        fs=data.draw(st.sampled_from([100, 257, 360, 500.5])),
        units=["mV"] * n_signals,
        sig_name=[f"lead {number}" for number in range(n_signals)],
        d_signal=digital,
        fmt=[storage] * n_signals,
        adc_gain=data.draw(gains).tolist(),
        baseline=data.draw(baselines).tolist(),
        write_dir=str(tmp_path),
    )
    recording = read_wfdb(tmp_path / "made")
    np.testing.assert_array_equal(recording.signal_mv, oracle_mv(tmp_path / "made"))
    np.testing.assert_array_equal(np.isnan(recording.signal_mv), digital.T == LOWEST[storage])
    record = wfdb.rdheader(str(tmp_path / "made"))
    assert (recording.rate, list(recording.names)) == (record.fs, record.sig_name)


@pytest.mark.parametrize(
    ("archive", "n_records", "n_refused_by_wfdb"),
    [
        ("ptb-xl-500hz-sample.tar.xz", 40, 0),
        ("cinc2021-sample.tar.xz", 138, 6),
        ("ludb-1.0.1.tar.xz", 200, 0),
        ("ptbdb-s0010_re.tar.xz", 1, 0),
    ],
)
def test_real_records_are_read_equal_to_wfdb(shared_data, tmp_path, archive, n_records, n_refused_by_wfdb):
    records = unpack(shared_data / archive, tmp_path)
    assert len(records) == n_records
    n_refused = 0
    for path in records[:: 1 if n_records < 150 else 5]:
        recording = read_wfdb(path)
        assert len(recording.names) in (12, 15)
        try:
            expected_mv = oracle_mv(path)
        except wfdb.io.header.HeaderSyntaxError:  # ".mat" in the record name
            n_refused += 1
            digital = np.fromfile(path.with_suffix(".mat"), "<i2", offset=24).reshape(-1, 12).T
            expected_mv = (digital / 4880).astype(np.float32)
        np.testing.assert_array_equal(recording.signal_mv, expected_mv)
    assert n_refused == n_refused_by_wfdb


def test_a_record_with_frank_leads_gives_its_twelve_leads_and_lists_the_others(shared_data, tmp_path):
    (path,) = unpack(shared_data / "ptbdb-s0010_re.tar.xz", tmp_path)
    recording = read_wfdb(path)
    result = condition(
        recording.signal_mv,
        recording.rate,
        recording.names,
        "mV",
        target_rate=100,
        seconds=10,
        filter="none",
        derive_limb_leads=False,
    )
    assert result.lead_mask.all() and result.extra_leads == ("vx", "vy", "vz")


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
BAD = [
    # problem, what wfdb does ("reads": silently), header, words of the sentence
    ("header", "raises", "\n", "is empty"),
    ("header", "raises", "<html> 404\n", "does not start with a WFDB record line"),
    ("header", "raises", HEADER.replace("r1 2", "r1 two"), 'number of signals is "two"'),
    ("header", "raises", HEADER.replace("r1 2", "r1 0"), 'number of signals is "0"'),
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
    ("rate", "reads", HEADER.replace("2 100 100", "2"), 'rate is ""'),
    ("rate", "raises", HEADER.replace("2 100 100", "2 nan 100"), 'rate is "nan"'),
    ("length", "raises", HEADER.replace("100 100", "100 0"), 'length is "0"'),
    ("length", "reads", HEADER.replace("100 100", "100"), 'length is ""'),
    ("length", "raises", HEADER.replace("100 100", "100 101"), "has 400 bytes, its header promises 404"),
    ("length", "reads", HEADER.replace("100 100", "100 99"), "has 400 bytes, its header promises 396"),
    ("format", "raises", HEADER.replace(" 16 200", " 17 200"), 'format "17"'),
    ("format", "raises", HEADER.replace(" 16 200", " 16x2 200"), 'format "16x2"'),
    ("format", "raises", HEADER.replace(" 16 200", " 16:3 200"), 'format "16:3"'),
    ("format", "raises", HEADER.replace(" 16 200", " 516 200"), "wfdb cannot decode"),
    ("gain", "reads", HEADER.replace("200(5)/mV", "0(5)/mV"), 'gain "0(5)/mV"'),
    ("gain", "reads", HEADER.replace("200(5)/mV", "1e-999"), 'gain "1e-999"'),
    ("gain", "raises", HEADER.replace("200(5)/mV", "1e999"), 'gain "1e999"'),
    ("gain", "reads", "\n".join([LINES[0], "r1.dat 16 I", "r1.dat 16 V1"]), 'gain "I"'),
    ("unit", "reads", HEADER.replace("/mV", "/mmHg"), 'is in "mmHg", expected V, mV, uV'),
    ("lead_names", "reads", HEADER.replace("0 V1", "0"), 'a signal of "r1.dat" has no lead name'),
    ("lead_names", "reads", "\n".join([LINES[0], *["r1.dat 16 200"] * 2]), "no lead name"),
    ("lead_names", "reads", HEADER.replace("0 V1", "0 i"), 'lead "i" is described twice'),
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


def test_every_problem_is_provoked_by_a_test():
    assert {problem for problem, *_ in BAD} | {"no_header", "no_signal_file"} == set(RECORD_PROBLEMS)


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
