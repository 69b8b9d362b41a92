"""The rate estimate on drawn QRS complexes and on synthetic hearts of known beats."""

import numpy as np
import pytest

from cgdmer_jax.data.synthetic.dataset import generate
from cgdmer_jax.waveform.heart_rate import heart_rates

ALL = np.ones((1, 12), bool)


def drawn(beats_s, rate=100, seconds=10.0, t_wave=0.0):
    """[1, 12, time] of narrow triangles of 1 mV at these times, a broad T wave 0.3 s behind each."""
    t = np.arange(round(rate * seconds)) / rate
    qrs = sum(np.clip(1 - np.abs(t - b) / 0.04, 0, None) for b in beats_s)
    wave = sum(np.exp(-0.5 * ((t - b - 0.3) / 0.06) ** 2) for b in beats_s)
    return np.tile(1000 * (qrs + t_wave * wave), (12, 1))[None].astype(np.int16)


def rate_of(signal, mask=ALL, length=1000, rate=100):
    return heart_rates(signal, mask, np.array([length], np.int32), rate)[0]


@pytest.mark.parametrize("bpm", [45, 60, 100, 160])
def test_regular_beats_with_tall_t_waves_are_counted_once(bpm):
    assert rate_of(drawn(np.arange(0.4, 9.6, 60 / bpm), t_wave=0.8)) == pytest.approx(bpm, rel=0.02)


def test_one_artefact_and_one_early_beat_do_not_move_the_rate():
    signal = drawn([*np.arange(0.5, 9.6, 0.8), 4.9])
    signal[0, 3, 250:254] = 20_000
    assert rate_of(signal) == pytest.approx(75, rel=0.02)


def test_padding_and_absent_leads_are_not_looked_at():
    signal = drawn(np.arange(0.5, 9.6, 1.0))
    signal[0, :, 600:] = np.random.default_rng(0).integers(-9000, 9000, (12, 400))
    signal[0, 5] = np.random.default_rng(1).integers(-9000, 9000, 1000)
    mask = ALL.copy()
    mask[0, 5] = False
    assert rate_of(signal, mask, length=600) == pytest.approx(60, rel=0.02)


def test_too_short_or_flat_a_recording_has_no_rate():
    assert np.isnan(rate_of(drawn([0.5, 1.0, 1.5]), length=200))
    assert np.isnan(rate_of(np.zeros((1, 12, 1000), np.int16)))


def test_synthetic_hearts_are_within_five_beats_nearly_always():
    made = generate(5, 100, 100)
    signal = np.clip(made.signal_mv * 1000, -32767, 32767).astype(np.int16)
    found = heart_rates(signal, np.ones((100, 12), bool), np.full(100, 1000, np.int32), 100)
    true = np.array([60 / np.median(np.diff(onset)) for onset in made.onset_s])
    assert (np.abs(found - true) < 5).mean() >= 0.9  # atrial fibrillation included
