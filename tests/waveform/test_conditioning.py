"""The signal path against hand-worked values, analytic signals, scipy and the publisher's own resampling."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import signal as scipy_signal

from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.waveform.conditioning import (
    LEADS,
    UNITS_IN_MV,
    WAVEFORM_PROBLEMS,
    WaveformError,
    arrange,
    bandpass,
    canonical_lead,
    canonical_unit,
    condition,
    crop_or_pad,
    extra_leads,
    fill_gaps,
    resample,
    to_microvolts,
    to_millivolts,
)
from cgdmer_jax.waveform.limb_leads import einthoven_residual
from tests.real_recordings import unpack

WHOLE_MICROVOLTS = hnp.arrays(np.int16, (12, 150), elements=st.integers(-5000, 5000))


def heart(rate: float = 100, seconds: float = 10, leads: int = 12) -> np.ndarray:
    """Millivolts: beats at 70 a minute, another size in every lead, a little noise of a fixed seed."""
    time = np.arange(round(rate * seconds)) / rate
    beats = np.exp(-(((time[:, None] - np.arange(0.4, seconds, 60 / 70)) / 0.02) ** 2)).sum(1)
    noise = np.random.default_rng(0).normal(0, 0.02, (leads, len(time)))
    return np.linspace(0.4, 1.5, leads)[:, None] * beats + noise


def conditioned(
    signal, rate=100, leads=LEADS, unit="mV", *, target_rate=100, seconds=10, filter="none", derive_limb_leads=False
):
    return condition(
        signal,
        rate,
        leads,
        unit,
        target_rate=target_rate,
        seconds=seconds,
        filter=filter,
        derive_limb_leads=derive_limb_leads,
    )


# Leads and units


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        *[("I", "I"), ("avr", "aVR"), ("AVF", "aVF"), ("v6", "V6"), ("DII", "II"), ("MLII", "II")],
        *[("C1", "V1"), (" V2 ", "V2"), ("Lead III", "III"), ("MDC_ECG_LEAD_aVL", "aVL"), ("ECG_II", "II")],
        *[("vx", None), ("V7", None), ("V3R", None), ("", None), ("-aVR", None), ("1", None), ("C7", None)],
    ],
)
def test_lead_names_resolve_to_the_canonical_lead_or_to_none(name, lead):
    assert canonical_lead(name) == lead


@settings(max_examples=100)
@given(given=st.lists(st.integers(0, 11), min_size=1, unique=True))
def test_leads_are_found_by_name_whatever_their_order_and_number(given):
    signal = np.arange(24.0).reshape(12, 2)
    arranged = arrange(signal[given], tuple(LEADS[lead] for lead in given), "mV")
    for lead in range(12):
        expected = signal[lead] if lead in given else [np.nan, np.nan]
        np.testing.assert_array_equal(arranged[lead], expected)


def test_leads_that_are_not_given_are_nan_and_others_are_listed():
    arranged = arrange(np.ones((3, 4)), ("vx", "V2", "ii"), "mV")
    assert np.isnan(arranged).all(axis=1).tolist() == [lead not in ("II", "V2") for lead in LEADS]
    assert extra_leads(("vx", "V2", "ii")) == ("vx",)


@pytest.mark.parametrize(
    ("signal", "names", "unit", "problem", "words"),
    [
        (np.ones((2, 9)), ("II", "MLII"), "mV", "duplicate_lead", '"II" and "MLII" are both II'),
        (np.ones((2, 9)), ("vx", "vy"), "mV", "unknown_leads", "rename"),
        (np.ones((9, 2)), ("I", "II"), "mV", "shape", "transpose it"),
        (np.ones((3, 9)), ("I", "II"), "mV", "shape", "expected [2 named leads, time]"),
        (np.ones((2, 9)), ("I", "II"), "mmHg", "unit", "expected V, mV, uV"),
    ],
)
def test_leads_and_units_that_cannot_be_placed_raise(signal, names, unit, problem, words):
    with pytest.raises(WaveformError) as caught:
        arrange(signal, names, unit)
    assert caught.value.problem == problem and words in str(caught.value)


@pytest.mark.parametrize("unit", ["uV", "UV", "µV", "μV"])
def test_microvolts_are_known_in_every_spelling(unit):
    assert canonical_unit(unit) == "uV"


@settings(max_examples=40)
@given(microvolts=WHOLE_MICROVOLTS, target_rate=st.sampled_from([100, 60, 250]))
def test_one_measurement_in_volts_millivolts_or_microvolts_gives_the_same_int16(microvolts, target_rate):
    microvolts[:, 0], microvolts[:, 1] = 1000, -1000  # no unit is ruled out by the amplitude
    microvolts[0, ::2] = 700  # at least one lead is neither flat nor clipped
    microvolts[0, 1::4] = -300
    forms = {"uV": microvolts, "mV": microvolts / 1e3, "V": microvolts / 1e6}
    results = [
        conditioned(form.astype(dtype), unit=unit, target_rate=target_rate).signal
        for unit, form in forms.items()
        for dtype in ((np.int16, np.float32, np.float64) if unit == "uV" else (np.float32, np.float64))
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_gaps_become_straight_lines_and_are_counted():
    nan = np.nan
    filled, count = fill_gaps(np.array([[1.0, nan, nan, 4.0, 0.0], [nan, 2.0, 3.0, nan, nan], [5.0] * 5]))
    np.testing.assert_allclose(filled, [[1, 2, 3, 4, 0], [2, 2, 3, 3, 3], [5] * 5])
    assert count.tolist() == [2, 3, 0]


@settings(max_examples=100)
@given(gaps=hnp.arrays(bool, 30), start=st.floats(-5, 5), slope=st.floats(-0.1, 0.1))
def test_gaps_in_a_straight_line_are_filled_along_it_and_level_at_the_ends(gaps, start, slope):
    gaps[11] = False
    line = start + slope * np.arange(30)
    measured = np.flatnonzero(~gaps)
    expected = [line[min(max(sample, measured[0]), measured[-1])] for sample in range(30)]
    filled, count = fill_gaps(np.where(gaps, np.nan, line)[None])
    np.testing.assert_allclose(filled[0], expected, atol=1e-12)
    assert count.tolist() == [30 - len(measured)]


@settings(max_examples=100)
@given(
    values=hnp.arrays(np.float64, (3, 30), elements=st.floats(-5, 5)),
    gaps=hnp.arrays(bool, (3, 30), elements=st.booleans()),
)
def test_filling_keeps_measured_samples_stays_in_their_range_and_is_idempotent(values, gaps):
    gaps[:, 7] = False
    filled, count = fill_gaps(np.where(gaps, np.nan, values))
    np.testing.assert_array_equal(filled[~gaps], values[~gaps])
    assert count.tolist() == gaps.sum(1).tolist()
    for lead, gap in zip(range(3), gaps, strict=True):
        assert filled[lead].min() >= values[lead, ~gap].min() and filled[lead].max() <= values[lead, ~gap].max()
    np.testing.assert_array_equal(fill_gaps(filled)[0], filled)


# Filter and resampling


def test_the_filter_passes_the_middle_of_its_band_and_stops_wander_offset_and_mains():
    time = np.arange(5000) / 500
    middle = slice(1000, 4000)
    for frequency, low, high in [
        (10, 0.99, 1.01),
        (2, 0.99, 1.01),
        (0.1, 0, 0.01),
        (50, 0, 0.25),
        (100, 0, 0.01),
    ]:
        wave = np.sin(2 * np.pi * frequency * time)[None]
        gain = bandpass(wave, 500)[0, middle].std() / wave[0, middle].std()
        assert low <= gain <= high, frequency
    assert np.abs(bandpass(np.full((1, 5000), 3.0), 500)).max() < 1e-6


def test_the_filter_moves_no_peak():
    time = np.arange(5000) / 500
    pulse = np.exp(-(((time - 5) / 0.02) ** 2))[None]
    filtered = bandpass(pulse, 500)
    assert filtered.argmax() == pulse.argmax()
    np.testing.assert_allclose(filtered[0, 1500:3501], filtered[0, 3500:1499:-1], atol=1e-6)


def test_the_filter_is_a_butterworth_of_third_order_run_both_ways():
    frequencies = np.array([0.5, 1.0, 20.0, 40.0, 60.0])
    impulse = np.zeros((1, 20_001))
    impulse[0, 10_000] = 1
    response = bandpass(impulse, 500)[0]
    lags = (np.arange(20_001) - 10_000) / 500
    measured = [np.sum(response * np.cos(2 * np.pi * frequency * lags)) for frequency in frequencies]
    numerator, denominator = scipy_signal.butter(3, (0.5, 40), "bandpass", fs=500)
    expected = np.abs(scipy_signal.freqz(numerator, denominator, frequencies, fs=500)[1]) ** 2
    np.testing.assert_allclose(measured, expected, atol=1e-3)


@pytest.mark.parametrize(("rate_from", "rate_to"), [(500, 100), (1000, 100), (257, 100), (400, 500), (360, 250)])
def test_a_sine_keeps_frequency_phase_and_size_through_resampling(rate_from, rate_to):
    old, new = np.arange(10 * rate_from) / rate_from, np.arange(10 * rate_to) / rate_to
    resampled = resample(np.sin(2 * np.pi * 7 * old + 1)[None], rate_from, rate_to)
    assert resampled.shape == (1, 10 * rate_to)
    inner = slice(rate_to // 2, -rate_to // 2)
    np.testing.assert_allclose(resampled[0, inner], np.sin(2 * np.pi * 7 * new + 1)[inner], atol=0.005)


RATES = st.sampled_from([100, 128, 250, 257, 360, 400, 500, 1000])


@settings(max_examples=100)
@given(
    rates=st.tuples(RATES, RATES),
    samples=st.integers(300, 1500),
    waves=st.lists(st.tuples(st.floats(0.5, 20), st.floats(0, 2), st.floats(0, 7)), min_size=1, max_size=4),
    offset_mv=st.floats(-3, 3),
)
def test_any_sum_of_slow_waves_has_its_own_values_at_the_new_rate(rates, samples, waves, offset_mv):
    rate_from, rate_to = rates

    def voltage(n, rate):
        time = np.arange(n) / rate
        return offset_mv + sum(size * np.sin(2 * np.pi * hertz * time + phase) for hertz, size, phase in waves)

    resampled = resample(voltage(samples, rate_from)[None], rate_from, rate_to)
    new_samples = round(samples * rate_to / rate_from)
    assert resampled.shape == (1, new_samples)
    inner = slice(rate_to // 8, new_samples - rate_to // 8)  # beyond, the filter reads what was never measured
    tolerance = 0.003 * (abs(offset_mv) + sum(size for _, size, _ in waves)) + 1e-9  # resample_poly ripples by 0.2 %
    np.testing.assert_allclose(resampled[0, inner], voltage(new_samples, rate_to)[inner], atol=tolerance)


def test_an_offset_survives_resampling_up_to_both_ends():
    np.testing.assert_allclose(resample(np.full((1, 5000), 2.5), 500, 100), 2.5, atol=1e-9)


def test_resampling_removes_what_the_new_rate_cannot_hold():
    time = np.arange(5000) / 500
    assert resample(np.sin(2 * np.pi * 90 * time)[None], 500, 100)[0, 50:-50].std() < 0.01


def test_resampled_500_hz_records_agree_with_the_publishers_100_hz(shared_data, tmp_path):
    high = unpack(shared_data / "ptb-xl-500hz-sample.tar.xz", tmp_path / "500")
    low = unpack(shared_data / "ptb-xl-sample.tar.xz", tmp_path / "100", most_files=400)
    of_name = {path.name.removesuffix("_lr"): path for path in low}
    pairs = [(path, of_name[path.name[:5]]) for path in high if path.name[:5] in of_name]
    assert len(pairs) >= 5
    for path_500, path_100 in pairs:
        ours = resample(read_wfdb(path_500).signal_mv, 500, 100)
        theirs = read_wfdb(path_100).signal_mv
        for lead in range(12):
            # The publisher's filter was another (0.99 in the middle), but nothing is shifted by a sample.
            shifted = [ours[lead, 50 + shift : 950 + shift] for shift in (-1, 0, 1)]
            alike = [np.corrcoef(lead_mv, theirs[lead, 50:950])[0, 1] for lead_mv in shifted]
            assert np.argmax(alike) == 1 and alike[1] > 0.98


# Microvolts, padding, identities


def test_microvolts_are_rounded_and_held_within_int16_without_its_lowest_value():
    assert to_microvolts(np.array([[0.0014, -0.0016, 40.0, -40.0]])).tolist() == [[1, -2, 32767, -32767]]


@settings(max_examples=100)
@given(
    microvolts=hnp.arrays(np.int16, (2, 40), elements=st.integers(-32767, 32767)),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_every_stored_value_survives_the_way_to_millivolts_and_back(microvolts, dtype):
    np.testing.assert_array_equal(to_microvolts((microvolts / 1000).astype(dtype)), microvolts)


def test_crop_or_pad_keeps_the_first_samples_and_pads_with_zeros():
    signal = np.arange(1, 7).reshape(2, 3)
    assert crop_or_pad(signal, 2).tolist() == [[1, 2], [4, 5]]
    assert crop_or_pad(signal, 5).tolist() == [[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]]


@pytest.mark.parametrize("filter", ["none", "bandpass_0.5_40"])
def test_the_chain_keeps_the_lead_identities_to_rounding(filter):
    signal = heart(500)
    signal[2] = signal[1] - signal[0]
    result = conditioned(signal, 500, filter=filter).signal.astype(float)
    assert np.abs(einthoven_residual(result)).max() <= 1.5  # three roundings of half a microvolt


# The chain


def test_what_follows_the_kept_seconds_changes_nothing():
    signal = heart(500, 20)
    spoilt = signal.copy()
    spoilt[:, 5000:] = np.nan
    for filter in ("none", "bandpass_0.5_40"):
        whole = conditioned(signal, 500, filter=filter)
        np.testing.assert_array_equal(whole.signal, conditioned(spoilt, 500, filter=filter).signal)
        assert whole.signal.shape == (12, 1000) and whole.valid_length == 1000


def test_a_short_recording_is_padded_with_zeros_and_says_so():
    result = conditioned(heart(500, 6.5), 500)
    assert result.valid_length == 650 and result.signal.shape == (12, 1000)
    assert not result.signal[:, 650:].any() and result.signal[:, 600:650].any()


def test_derived_limb_leads_are_present_on_request_and_say_so():
    signal = heart(500)[[0, 1, *range(6, 12)]]
    names = (LEADS[0], LEADS[1], *LEADS[6:])
    assert np.flatnonzero(~conditioned(signal, 500, names).lead_mask).tolist() == [2, 3, 4, 5]
    made = conditioned(signal, 500, names, derive_limb_leads=True)
    assert made.lead_mask.all() and np.flatnonzero(made.derived).tolist() == [2, 3, 4, 5]
    one, two = made.signal[:2].astype(float)
    expected = [two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    np.testing.assert_allclose(made.signal[2:6], expected, atol=1.5)  # microvolts: three roundings
    assert not conditioned(heart(500), 500, derive_limb_leads=True).derived.any()


def test_absent_leads_are_zero_and_masked_and_touch_no_other_lead():
    signal = heart(500)
    spoilt = signal.copy()
    spoilt[3] = np.nan
    spoilt[7] = 1.25
    spoilt[9, :4000] = 50.0
    for filter in ("none", "bandpass_0.5_40"):
        clean, result = conditioned(signal, 500, filter=filter), conditioned(spoilt, 500, filter=filter)
        kept = [lead for lead in range(12) if lead not in (3, 7, 9)]
        assert np.flatnonzero(~result.lead_mask).tolist() == [3, 7, 9]
        assert not result.signal[[3, 7, 9]].any()
        np.testing.assert_array_equal(result.signal[kept], clean.signal[kept])


def test_short_gaps_are_filled_before_filter_and_resampling():
    signal = heart(500)
    signal[0, 700:720] = np.nan
    signal[0, 1400] = np.inf
    result = conditioned(signal, 500, filter="bandpass_0.5_40")
    assert result.lead_mask.all() and result.quality.flagged.tolist() == [True] + [False] * 11
    assert result.n_filled.tolist() == [21] + [0] * 11


@pytest.mark.parametrize(
    ("signal", "changed", "problem"),
    [
        (np.zeros((12, 1000)), {}, "no_lead"),
        (heart()[:, :99], {}, "too_short"),
        (np.zeros((12, 0)), {}, "too_short"),
        (heart(), {"rate": 0}, "rate"),
        (heart(), {"rate": float("nan")}, "rate"),
        (heart(), {"rate": 80, "filter": "bandpass_0.5_40"}, "rate"),
        (heart(), {"filter": "bandpass"}, "filter"),
        (heart(), {"unit": "kV"}, "unit"),
        (heart().T, {}, "shape"),
        (heart(), {"leads": ("I",) * 12}, "duplicate_lead"),
        (heart(), {"leads": tuple(f"E{k}" for k in range(12))}, "unknown_leads"),
    ],
)
def test_what_cannot_be_conditioned_is_refused_by_a_fixed_code(signal, changed, problem):
    with pytest.raises(WaveformError) as caught:
        conditioned(signal, **changed)
    assert caught.value.problem == problem and problem in WAVEFORM_PROBLEMS
    assert "\n" not in str(caught.value)


def test_a_waveform_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(WaveformError("no_lead", "every lead is flat; leave it out")))
    assert (type(error), error.problem, str(error)) == (
        WaveformError,
        "no_lead",
        "every lead is flat; leave it out",
    )


@pytest.mark.parametrize("rates", [(500, 100), (1000, 100), (257, 100), (100, 500), (400, 250)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_filter_that_is_kept_gives_scipys_own_result_to_the_bit(rates, dtype):
    signal_mv = np.random.default_rng(0).normal(size=(12, 2000)).astype(dtype)
    ratio = Fraction(rates[1] / rates[0]).limit_denominator(10_000)
    own = scipy_signal.resample_poly(signal_mv, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    for _ in range(2):  # SciPy must not have changed the kept one
        made = resample(signal_mv, *rates)
        assert made.dtype == own.dtype
        np.testing.assert_array_equal(made, own[:, : made.shape[1]])


@pytest.mark.parametrize("unit", UNITS_IN_MV)
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_millivolts_are_those_of_the_plain_formula_and_the_signal_is_left_alone(unit, dtype):
    signal = (np.random.default_rng(0).normal(size=(12, 500)) * 900).astype(dtype)
    if dtype is not np.int16:
        signal[3, 7:9] = np.nan
        signal[4, 5] = np.inf
    before = signal.copy()
    plain = np.round(signal.astype(np.float64) * (UNITS_IN_MV[unit] * 1e5)) / 1e5
    plain[~np.isfinite(plain)] = np.nan
    np.testing.assert_array_equal(to_millivolts(signal, unit), plain)
    np.testing.assert_array_equal(signal, before)
