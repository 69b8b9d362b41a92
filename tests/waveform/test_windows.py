"""Recordings longer than the encoder's window: which seconds are read, and that the others are named."""

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.windows import split

MINUTE = np.tile(np.arange(60.0).repeat(100), (12, 1))  # 60 s at 100 Hz; every sample tells its second


def seconds_of(signal) -> list[float]:
    return sorted(set(signal[0].tolist()))


def test_the_first_the_central_and_all_windows_of_a_minute():
    first = split(MINUTE, 100, 10)
    assert [(w.start_s, seconds_of(w.signal)) for w in first.windows] == [(0, [*range(10)])]
    assert first.passed_over == "its first 10 of 60 s are used"
    centre = split(MINUTE, 100, 10, "centre")
    assert [(w.start_s, seconds_of(w.signal)) for w in centre.windows] == [(25, [*range(25, 35)])]
    assert centre.passed_over == "its central 10 of 60 s are used"
    every = split(MINUTE, 100, 10, "all")
    assert [w.start_s for w in every.windows] == [0, 10, 20, 30, 40, 50] and every.passed_over is None
    np.testing.assert_array_equal(np.concatenate([w.signal for w in every.windows], axis=1), MINUTE)


@pytest.mark.parametrize(
    ("samples", "lengths", "words"),
    [
        (1000, [1000], None),
        (400, [400], None),  # a short recording is padded, as ever
        (1099, [1000], "its last 0.99 s are too short for a window and are not used"),
        (1100, [1000, 100], None),  # one second: the shortest recording
        (2530, [1000, 1000, 530], None),
    ],
)
def test_the_rest_is_a_shorter_window_or_is_named(samples, lengths, words):
    found = split(MINUTE[:, :samples], 100, 10, "all")
    assert [w.signal.shape[1] for w in found.windows] == lengths and found.passed_over == words


def test_windows_follow_each_other_without_gap_at_any_rate():
    found = split(np.zeros((12, 10_000)), 257.3, 2.003, "all").windows
    size = round(257.3 * 2.003)
    assert [round(w.start_s * 257.3) for w in found] == [size * n for n in range(len(found))]


def test_an_unknown_choice_is_refused():
    with pytest.raises(CgdmerError, match='Did you mean "centre"'):
        split(MINUTE, 100, 10, "center")


def test_a_rate_of_less_than_a_sample_a_window_is_left_to_prepare():
    assert [w.signal.shape[1] for w in split(MINUTE[:, :200], 0.01, 10, "all").windows] == [1] * 200
