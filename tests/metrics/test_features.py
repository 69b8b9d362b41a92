"""Random convolutions see form and order; hand36 sees three amplitudes a lead and nothing else."""

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import features


@pytest.fixture(scope="module")
def signal_uv():
    """Twelve leads of smooth noise with spikes, 300 samples, in microvolts."""
    rng = np.random.default_rng(0)
    noise = np.cumsum(rng.normal(size=(40, 12, 300)), axis=2)
    return (1000 * (noise - noise.mean(2, keepdims=True)) / noise.std(2, keepdims=True)).astype(np.int16)


@pytest.fixture(scope="module")
def kernels(signal_uv):
    return features.draw_kernels(signal_uv, n_kernels=120, seed=1)


def test_kernels_are_a_function_of_seed_and_records(signal_uv, kernels):
    same = features.draw_kernels(signal_uv, n_kernels=120, seed=1)
    other = features.draw_kernels(signal_uv, n_kernels=120, seed=2)
    for field in ("weights", "dilations", "biases"):
        assert np.array_equal(getattr(same, field), getattr(kernels, field))
    assert not np.array_equal(other.weights, kernels.weights)


def test_chunks_and_threads_change_no_bit(signal_uv, kernels, monkeypatch):
    whole = features.convolve(kernels, signal_uv, n_threads=1)
    parts = [features.convolve(kernels, signal_uv[i : i + 7], n_threads=2) for i in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(parts), whole)
    monkeypatch.setattr(features, "CHUNK", 3)
    assert np.array_equal(features.convolve(kernels, signal_uv, n_threads=2), whole)


def test_share_above_threshold_worked_sample_by_sample(signal_uv, kernels):
    found = features.convolve(kernels, signal_uv[:2], n_threads=1).reshape(2, 120, features.BIASES)
    for kernel in (0, 60, 119):
        dilation = kernels.dilations[kernel]
        for record in range(2):
            output = np.zeros(300)
            for t in range(300):
                for tap in range(9):
                    at = min(max(t + (tap - 4) * dilation, 0), 299)
                    output[t] += kernels.weights[kernel, :, tap] @ (signal_uv[record, :, at] * 1e-3)
            for j, bias in enumerate(kernels.biases[kernel]):
                share = np.mean(output > bias)
                # float32 may put a sample at the threshold on the other side
                assert abs(found[record, kernel, j] - share) <= 1.5 / 300


def test_weights_are_minirockets(kernels):
    for kernel in kernels.weights:
        read = kernel[kernel.any(1)]
        assert 1 <= len(read) <= features.MOST_LEADS
        assert (read == read[0]).all()
        assert sorted(read[0]) == [-1] * 6 + [2] * 3
    assert len(features.PATTERNS) == 84


def test_longest_kernel_spans_the_recording(kernels):
    assert kernels.dilations.min() == 1
    assert kernels.dilations.max() * (features.TAPS - 1) <= 299


def test_same_amplitudes_in_another_order_give_other_features(signal_uv, kernels):
    shuffled = signal_uv[:, :, np.random.default_rng(0).permutation(300)]
    mask, length = np.ones((40, 12), bool), np.full(40, 300, np.int32)
    amplitude = features.hand36(signal_uv, mask, length)
    np.testing.assert_allclose(features.hand36(shuffled, mask, length), amplitude, atol=1e-5)
    difference = features.convolve(kernels, signal_uv, n_threads=1) - features.convolve(kernels, shuffled, n_threads=1)
    assert np.abs(difference).mean() > 0.05


def test_offset_of_a_lead_changes_nothing(signal_uv, kernels):
    plain = features.convolve(kernels, signal_uv[:5], n_threads=1)
    raised = features.convolve(kernels, signal_uv[:5] + np.int16(500), n_threads=1)
    assert np.abs(plain - raised).max() <= 2.5 / 300  # float32 at the threshold


def test_hand36_worked_by_hand_over_valid_samples_and_present_leads():
    signal = np.zeros((1, 12, 6), np.int16)
    signal[0, 0] = [1000, -1000, 1000, -1000, 5000, 5000]  # the last two lie beyond `length`
    signal[0, 1] = 700
    mask = np.ones((1, 12), bool)
    mask[0, 1] = False
    found = features.hand36(signal, mask, np.array([4], np.int32)).reshape(12, 3)
    np.testing.assert_allclose(found[0], [1.0, 1.0, -1.0])
    assert not found[1:].any()


def test_no_kernels_is_told_in_one_sentence(signal_uv):
    with pytest.raises(CgdmerError, match="0 kernels"):
        features.draw_kernels(signal_uv, n_kernels=0, seed=0)
