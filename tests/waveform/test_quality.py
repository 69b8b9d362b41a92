"""Faults found in one lead, against hand-counted samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer_jax.waveform.quality import PLAUSIBLE_MV, lead_quality
from tests.waveform.test_conditioning import heart


@pytest.mark.parametrize(
    ("n_missing", "absent", "flagged"), [(0, 0, 0), (9, 0, 0), (10, 0, 1), (500, 0, 1), (501, 1, 0)]
)
def test_a_lead_is_absent_above_five_percent_nan_and_flagged_from_a_thousandth(n_missing, absent, flagged):
    signal = np.random.default_rng(1).normal(size=(1, 10_000))
    signal[0, np.random.default_rng(2).permutation(10_000)[:n_missing]] = np.nan
    quality = lead_quality(signal)
    assert (quality.absent[0], quality.flagged[0]) == (absent, flagged)
    assert quality.nan_share[0] == n_missing / 10_000


@pytest.mark.parametrize(("n_flat", "absent"), [(950, False), (951, True), (1000, True)])
def test_a_lead_is_absent_when_over_95_percent_lie_within_two_microvolts_of_one_value(n_flat, absent):
    rng = np.random.default_rng(3)
    signal = rng.normal(0, 1, 1000)
    # +-2 uV around 1.234 mV, as float32 millivolts; not one sample is exactly the value
    signal[rng.permutation(1000)[:n_flat]] = 1.234 + rng.choice([-0.002, 0.002], n_flat)
    quality = lead_quality(signal[None].astype(np.float32))
    assert quality.absent[0] == absent
    assert abs(quality.flat_share[0] - n_flat / 1000) <= 0.005  # a few normal samples may fall in the window


@given(st.lists(st.integers(-40, 40) | st.just(None), min_size=1, max_size=60))
@settings(max_examples=100)
def test_the_flat_share_counts_the_fullest_window_of_four_microvolts(steps_uv):
    known = [step for step in steps_uv if step is not None]
    fullest = max((sum(low <= step <= low + 4 for step in known) for low in known), default=0)
    signal = np.array([[np.nan if step is None else step / 1000 for step in steps_uv]], np.float32)
    assert lead_quality(signal).flat_share[0] == fullest / len(steps_uv)


def test_a_lead_that_moves_by_more_than_four_microvolts_is_not_flat():
    signal = np.tile([0.0, 0.005], 500)[None]
    quality = lead_quality(signal)
    assert quality.flat_share[0] == 0.5 and not quality.absent[0]


@pytest.mark.parametrize(("n_clipped", "absent", "flagged"), [(0, 0, 0), (4, 0, 1), (50, 0, 1), (51, 1, 0)])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_plateau_at_the_extreme_is_clipping(n_clipped, absent, flagged, side):
    signal = np.random.default_rng(4).uniform(-1, 1, (1, 1000))
    signal[0, 200 : 200 + n_clipped] = side * 1.5
    quality = lead_quality(signal)
    assert (quality.absent[0], quality.flagged[0]) == (absent, flagged)
    assert quality.clipped_share[0] == n_clipped / 1000


def test_peaks_of_equal_height_are_not_clipping():
    quality = lead_quality(np.tile([0.0, 0.1, 1.0, 0.1, -0.2, 0.05, 0.07, 0.02, 0.03, 0.0], 100)[None])
    assert quality.clipped_share[0] == 0 and not quality.flagged[0] and not quality.absent[0]


@pytest.mark.parametrize(("n_beyond", "absent"), [(1, False), (500, False), (501, True)])
def test_samples_beyond_int16_microvolts_are_clipped_and_always_flagged(n_beyond, absent):
    signal = np.random.default_rng(5).normal(size=(1, 10_000))
    signal[0, ::-1][: 2 * n_beyond : 2] = 40 + np.arange(n_beyond)
    quality = lead_quality(signal)
    assert quality.absent[0] == absent and quality.flagged[0] != absent


def test_a_lead_without_any_measurement_is_absent():
    assert lead_quality(np.full((1, 10), np.nan)).absent.all()


# Gaps


@pytest.mark.parametrize("size_mv", [0.05, 1.0, 9.9])
def test_the_amplitude_of_a_sine_is_its_height_but_for_the_outermost_samples(size_mv):
    """The 0.5th and 99.5th percentile of a sine lie at cos(0.005 pi) of its extremes."""
    quality = lead_quality(size_mv / 2 * np.sin(2 * np.pi * np.arange(10_000) / 500)[None])
    assert quality.amplitude_mv[0] == pytest.approx(size_mv * np.cos(0.005 * np.pi), rel=1e-3)
    assert not quality.implausible[0]


@pytest.mark.parametrize("size_mv", [PLAUSIBLE_MV[0] * 0.9, PLAUSIBLE_MV[1] * 1.1])
def test_an_amplitude_no_heart_has_is_marked_and_the_lead_kept(size_mv):
    quality = lead_quality(size_mv / 2 * np.sin(2 * np.pi * np.arange(1000) / 50)[None])
    assert quality.implausible[0] and not quality.absent[0] and not quality.flagged[0]


def test_one_spike_is_no_amplitude():
    signal = heart()
    before = lead_quality(signal).amplitude_mv
    signal[:, 500] = 20.0
    assert np.abs(lead_quality(signal).amplitude_mv - before).max() < 0.2


def test_an_absent_lead_is_never_called_implausible():
    quality = lead_quality(np.stack([np.full(100, np.nan), np.zeros(100)]))
    assert quality.absent.all() and not quality.implausible.any()
    assert np.isnan(quality.amplitude_mv[0]) and quality.amplitude_mv[1] == 0
