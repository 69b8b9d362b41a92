"""NeuroKit2 as a baseline finds the beats that the synthetic hearts have, and no wave where it fails."""

from types import SimpleNamespace

import numpy as np
import pytest

from cgdmer_jax.data.synthetic.dataset import generate
from cgdmer_jax.metrics.delineation import edges_of

pytest.importorskip("neurokit2", reason="the extra `delineation` is not installed")
RATE = 250


def test_the_beats_of_a_lead_are_found_and_a_lead_that_fails_has_none(capsys):
    from baselines.delineation.neurokit import delineator

    record = generate(0, 1, rate=RATE)
    signal = np.zeros((1, 12, record.signal_mv.shape[2]), np.int16)
    signal[0, 1] = np.round(1000 * record.signal_mv[0, 1])
    corpus = SimpleNamespace(
        lead_mask=np.array([[True, True] + [False] * 10]),  # lead I is flat: nothing is found there
        length=np.array([signal.shape[2]]),
        n_samples=signal.shape[2],
        rate=float(RATE),
        read=lambda lines: signal[lines],
    )
    (found,) = delineator(corpus)(np.arange(0), np.arange(1))
    onsets = edges_of(found[1], 2)["onset"] / RATE
    distance = np.abs(onsets[:, None] - record.onset_s[0]).min(1)
    assert len(onsets) >= len(record.onset_s[0]) - 2 and np.median(distance) < 0.06
    assert not found[np.arange(12) != 1].any()
    assert "NeuroKit2 failed on 1 leads, which count as without waves" in capsys.readouterr().out
