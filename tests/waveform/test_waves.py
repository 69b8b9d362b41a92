"""Waves from classes of samples, against hand-made intervals."""

import numpy as np

from cgdmer_jax.waveform.lead_names import LEADS
from cgdmer_jax.waveform.waves import FoundWave, cleaned, waves_by_lead

RATE = 100.0  # a sample is 10 ms
NUMBERS = {"P": 1, "QRS": 2, "T": 3}


def drawn(n_samples, *waves):
    """Classes with these waves (name, onset, offset)."""
    classes = np.zeros(n_samples, np.int8)
    for name, onset, offset in waves:
        classes[onset : offset + 1] = NUMBERS[name]
    return classes


def test_short_gaps_are_closed_then_short_waves_are_dropped():
    ragged = drawn(200, ("QRS", 20, 23), ("QRS", 28, 31), ("QRS", 60, 62), ("T", 100, 103), ("T", 107, 111))
    expected = drawn(200, ("QRS", 20, 31), ("T", 100, 111))
    np.testing.assert_array_equal(cleaned(ragged, RATE), expected)
    apart = drawn(200, ("QRS", 20, 23), ("QRS", 29, 32), ("P", 50, 53), ("T", 56, 63))
    np.testing.assert_array_equal(cleaned(apart, RATE), apart)  # a gap of 50 ms; another wave beyond the gap
    assert ragged[24] == 0  # what was given stays as it is


def test_waves_stand_by_lead_in_order_of_time_with_the_times_of_their_first_and_last_sample():
    classes, present = np.zeros((12, 200), np.int8), np.ones(12, bool)
    classes[0] = drawn(200, ("QRS", 20, 29), ("QRS", 32, 35), ("P", 5, 12), ("T", 60, 79), ("QRS", 150, 151))
    classes[1], present[1] = classes[0], False
    found = waves_by_lead(classes, present, RATE, start_s=10.0)
    assert list(found) == [lead for lead in LEADS if lead != "II"]
    assert found["I"] == [FoundWave("P", 10.05, 10.12), FoundWave("QRS", 10.2, 10.35), FoundWave("T", 10.6, 10.79)]
    assert all(not waves for lead, waves in found.items() if lead != "I")
