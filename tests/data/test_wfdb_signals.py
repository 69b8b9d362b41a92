"""Signals are read as wfdb reads them, whatever the format, the calibration and the signals beside the leads."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cgdmer_jax.data.readers.wfdb import RecordError, read_wfdb
from cgdmer_jax.data.readers.wfdb_header import BYTES_PER_SAMPLE, INVALID
from cgdmer_jax.waveform.conditioning import LEADS, canonical_lead
from tests.data.wfdb_records import HEADER, right_header, write
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
    with mock.patch("cgdmer_jax.data.readers.wfdb.VALUES_AT_ONCE", 6):
        yield


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
@given(storage=st.sampled_from(sorted(BYTES_PER_SAMPLE.keys() - {"8"})), length=st.integers(2, 200))
def test_pieces_join_to_what_wfdb_reads_at_once(tmp_path, pieces_of_six, storage, length):
    """Whatever bytes the file holds; the ends of pieces fall between the packed samples, not into them."""
    n_bytes = int(-(-3 * 5 * length * BYTES_PER_SAMPLE[storage] // 12) * 4)
    content = np.random.default_rng(length).integers(0, 256, n_bytes, dtype=np.uint8)
    (tmp_path / "made.dat").write_bytes(content.tobytes())
    header = [f"made 5 100 {length}", *(f"made.dat {storage} 200(0)/mV 16 0 0 0 0 {name}" for name in LEADS[:5])]
    (tmp_path / "made.hea").write_text("\n".join(header))
    whole = wfdb.rdrecord(str(tmp_path / "made"), physical=False).d_signal.T
    sums = [f" {total % 65536} 0 {name}" for total, name in zip(whole.sum(axis=1), LEADS[:5], strict=True)]
    lines = [line.replace(f" 0 0 {line.split()[-1]}", total) for line, total in zip(header[1:], sums, strict=True)]
    (tmp_path / "made.hea").write_text("\n".join([header[0], *lines]))
    if storage == "16":
        (tmp_path / "made.dat").write_bytes(content[: 10 * length].tobytes())
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
