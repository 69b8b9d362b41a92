"""Scores of a delineation against hand-made intervals, and against loops that follow the definitions word by word."""

import math

import numpy as np
import pytest

from cgdmer_jax.metrics.delineation import score_waves
from cgdmer_jax.waveform.waves import cleaned

RATE = 100.0  # a sample is 10 ms
NUMBERS = {"P": 1, "QRS": 2, "T": 3}


def drawn(n_samples, *waves, known=None):
    """Classes with these waves (name, onset, offset); outside of `known` (first, last) not annotated."""
    classes = np.zeros(n_samples, np.int8)
    for name, onset, offset in waves:
        classes[onset : offset + 1] = NUMBERS[name]
    if known is not None:
        classes[: known[0]] = classes[known[1] + 1 :] = -1
    return classes


MARKED = drawn(400, ("P", 50, 60), ("QRS", 68, 77), ("T", 100, 125), ("QRS", 200, 209), known=(50, 300))


def figures(predicted, marked=MARKED, wave="QRS"):
    return score_waves([predicted], [marked], RATE)[wave].figures


def test_the_marks_themselves_score_without_a_fault():
    scores = score_waves([np.maximum(MARKED, 0)], [MARKED], RATE)
    assert {name: one.n for name, one in scores.items()} == {"P": 1, "QRS": 2, "T": 1, "macro": 4}
    for one in scores.values():
        expected = {name: 0.0 if name.endswith("_ms") else 1.0 for name in one.figures}
        assert one.figures == expected


def test_errors_are_predicted_less_marked_in_milliseconds():
    found = figures(drawn(400, ("QRS", 66, 80), ("QRS", 204, 209)))
    assert (found["onset_mean_ms"], found["onset_sd_ms"]) == (pytest.approx(10), pytest.approx(30))  # -20, +40
    assert (found["offset_mean_ms"], found["offset_sd_ms"]) == (pytest.approx(15), pytest.approx(15))  # +30, 0
    assert found["dice"] == pytest.approx(2 * 16 / (20 + 21))


def test_an_edge_is_found_up_to_150_ms_away():
    shifted = [drawn(400, ("QRS", 68 + by, 77 + by), ("QRS", 200, 209)) for by in (15, 16)]
    assert [figures(one)["onset_sensitivity"] for one in shifted] == [1.0, 0.5]
    assert [figures(one)["onset_ppv"] for one in shifted] == [1.0, 0.5]
    assert [figures(one)["onset_f1"] for one in shifted] == [1.0, 0.5]


def test_two_predicted_waves_near_one_mark_are_one_right_and_one_wrong():
    found = figures(drawn(400, ("QRS", 60, 64), ("QRS", 71, 80), ("QRS", 200, 209)))
    assert (found["onset_sensitivity"], found["onset_ppv"]) == (1.0, pytest.approx(2 / 3))
    assert found["onset_mean_ms"] == pytest.approx(15)  # +30 and 0: the nearer one counts


def test_what_is_predicted_where_nothing_is_annotated_is_neither_right_nor_wrong():
    alone = figures(np.maximum(MARKED, 0))
    assert figures(drawn(400, ("QRS", 68, 77), ("QRS", 200, 209), ("QRS", 350, 360))) == alone
    # The first P begins where the annotation begins; a predicted one that begins before it is its partner all the same.
    early = figures(drawn(400, ("P", 45, 60)), wave="P")
    assert (early["onset_ppv"], early["onset_sensitivity"], early["onset_mean_ms"]) == (1.0, 1.0, -50.0)
    assert early["dice"] == 1.0


def test_the_ends_of_a_recording_are_no_edges():
    marked = drawn(200, ("T", 0, 10), ("QRS", 50, 59), ("T", 190, 199))
    found = figures(drawn(200, ("T", 0, 12), ("T", 188, 199)), marked, "T")
    assert (found["onset_mean_ms"], found["offset_mean_ms"]) == (-20.0, 20.0)
    assert figures(np.zeros(200, np.int8), marked, "T")["onset_sensitivity"] == 0.0


def test_figures_that_nothing_tells_are_nan():
    found = figures(np.zeros(400, np.int8))
    assert found["dice"] == found["onset_sensitivity"] == found["onset_f1"] == 0
    assert math.isnan(found["onset_ppv"]) and math.isnan(found["onset_mean_ms"])
    assert math.isnan(figures(drawn(400, ("P", 100, 110)), drawn(400, ("T", 100, 110)), "QRS")["dice"])


# --- the same by brute force ------------------------------------------------------------------------


def waves_by_sample(classes, wave):
    found, onset = [], None
    for t in range(len(classes) + 1):
        inside = t < len(classes) and classes[t] == wave
        if inside and onset is None:
            onset = t
        if not inside and onset is not None:
            found.append((onset, t - 1))
            onset = None
    return found


def nearest(t, others):
    return min(others, key=lambda other: (abs(other - t), other))


def brute_force(predicted, marked, wave, side):
    """Sensitivity, PPV, mean and sd of the errors of one kind of edge."""
    errors, n_marked, n_predicted = [], 0, 0
    for ours, theirs in zip(predicted, marked, strict=True):
        end = 0 if side == 0 else len(ours) - 1
        a = [one[side] for one in waves_by_sample(ours, wave) if one[side] != end]
        b = [one[side] for one in waves_by_sample(theirs, wave) if one[side] != end]
        pairs = {p: m for p in a for m in b if nearest(p, b) == m and nearest(m, a) == p and 10 * abs(p - m) <= 150}
        errors += [10 * (p - m) for p, m in pairs.items()]
        n_marked += len(b)
        n_predicted += sum(p in pairs or theirs[p] != -1 for p in a)
    return len(errors) / n_marked, len(errors) / n_predicted, np.mean(errors), np.std(errors)


def random_leads(draw, n_leads):
    """Waves at random places: what is predicted is what is marked, moved, with some left out and some added."""
    for _ in range(n_leads):
        n = int(draw.integers(300, 500))
        starts = np.cumsum(draw.integers(12, 40, 20))
        ours, theirs = np.zeros(n, np.int8), np.zeros(n, np.int8)
        for start in starts[starts < n - 15]:
            wave, length = draw.integers(1, 4), draw.integers(8, 12)
            if draw.random() < 0.8:
                theirs[start : start + length] = wave
            if draw.random() < 0.8:
                moved = max(0, start + draw.integers(-6, 7))
                ours[moved : moved + length] = wave
        first, last = draw.integers(0, 60), n - draw.integers(0, 60)
        theirs[:first] = theirs[last:] = -1
        yield ours, theirs


@pytest.mark.parametrize("seed", range(5))
def test_random_waves_score_as_by_brute_force(seed):
    predicted, marked = zip(*random_leads(np.random.default_rng(seed), 20), strict=True)
    scores = score_waves(predicted, marked, RATE)
    tidy = [cleaned(one, RATE) for one in predicted]
    f1 = []
    for name, wave in NUMBERS.items():
        found = scores[name].figures
        for side, edge in enumerate(("onset", "offset")):
            expected = brute_force(tidy, marked, wave, side)
            ours = [found[f"{edge}_{metric}"] for metric in ("sensitivity", "ppv", "mean_ms", "sd_ms")]
            np.testing.assert_allclose(ours, expected, atol=1e-9)
            f1.append(2 / (1 / expected[0] + 1 / expected[1]))
            assert found[f"{edge}_f1"] == pytest.approx(f1[-1])
        assert found["boundary_f1"] == pytest.approx((f1[-2] + f1[-1]) / 2)
        both = sum(a == b == wave for p, m in zip(tidy, marked, strict=True) for a, b in zip(p, m, strict=True))
        of_ours = sum(
            a == wave and b != -1 for p, m in zip(tidy, marked, strict=True) for a, b in zip(p, m, strict=True)
        )
        of_theirs = sum(b == wave for m in marked for b in m)
        assert found["dice"] == pytest.approx(2 * both / (of_ours + of_theirs))
    assert scores["macro"].figures["boundary_f1"] == pytest.approx(np.mean(f1))
