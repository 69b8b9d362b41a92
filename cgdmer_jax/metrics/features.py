"""Features that no pretraining was needed for: three amplitudes a lead, and random convolutions."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float32, Int, Int16, Int32
from threadpoolctl import threadpool_limits

from cgdmer_jax.errors import CgdmerError

MV_PER_UV = np.float32(1e-3)
TAPS = 9
# MiniRocket (Dempster et al. 2021, section 3.1): of nine weights three are 2, the others -1; all 84 choices.
PATTERNS = np.array([np.where(np.isin(np.arange(TAPS), c), 2, -1) for c in combinations(range(TAPS), 3)])
BIASES = 5  # features a kernel
MOST_LEADS = 9  # a kernel reads 1 to 9 leads, few more often than many (section 4.4 of the same)
DILATIONS = 12  # steps on a log scale from 1 to a kernel as long as the recording
BIAS_RECORDS, BIAS_STRIDE = 128, 16  # each such record, every 16th sample of it
GOLDEN = (1 + 5**0.5) / 2
CHUNK = 64  # records a task of the thread pool
BESIDE = "+random_convolutions"  # ends the name of an encoder's feature with random convolutions beside it


def hand36(
    signal_uv: Int16[np.ndarray, "record 12 time"],
    lead_mask: Bool[np.ndarray, "record 12"],
    length: Int32[np.ndarray, "record"],
) -> Float32[np.ndarray, "record 36"]:
    """Standard deviation, maximum, minimum a lead in millivolts over the valid samples; absent leads zero."""
    features = np.zeros((len(signal_uv), 12, 3), np.float32)
    for i, (record, n) in enumerate(zip(signal_uv, length, strict=True)):
        valid = record[:, :n] * MV_PER_UV
        features[i] = np.stack([valid.std(1), valid.max(1), valid.min(1)], axis=1) * lead_mask[i][:, None]
    return features.reshape(len(signal_uv), 36)


@dataclass(frozen=True)
class Kernels:
    """Random dilated kernels over random lead subsets, sorted by dilation, with thresholds in millivolts."""

    weights: Float32[np.ndarray, "kernel 12 tap"]
    dilations: Int[np.ndarray, "kernel"]
    biases: Float32[np.ndarray, "kernel bias"]


def draw_kernels(signal_uv: Int16[np.ndarray, "record 12 time"], *, n_kernels: int, seed: int) -> Kernels:
    """Kernels from the seed; thresholds are quantiles of their output on 128 of these (training) records."""
    if n_kernels < 1 or not len(signal_uv):
        raise CgdmerError(f"random convolutions got {n_kernels} kernels, {len(signal_uv)} records; give some of both")
    rng = np.random.default_rng(seed)
    longest = max((signal_uv.shape[2] - 1) / (TAPS - 1), 1)
    steps = np.unique(np.floor(longest ** np.linspace(0, 1, DILATIONS)).astype(int))
    dilations = np.sort(steps[np.arange(n_kernels) % len(steps)])
    weights = np.zeros((n_kernels, 12, TAPS), np.float32)
    for kernel, pattern in zip(weights, rng.integers(0, len(PATTERNS), n_kernels), strict=True):
        n_leads = int((MOST_LEADS + 1) ** rng.random())
        kernel[rng.permutation(12)[:n_leads]] = PATTERNS[pattern]
    chosen = rng.permutation(len(signal_uv))[:BIAS_RECORDS]
    shares = (np.arange(1, n_kernels * BIASES + 1) * GOLDEN) % 1  # MiniRocket's low-discrepancy quantiles
    unbiased = Kernels(weights, dilations, np.zeros((n_kernels, 0), np.float32))
    outputs = [
        np.concatenate([output[:, ::BIAS_STRIDE] for output in _outputs(unbiased, signal_uv[i])])
        for i in np.sort(chosen)
    ]
    pooled = np.sort(np.concatenate(outputs, axis=1), axis=1)
    at = (shares * pooled.shape[1]).astype(int).reshape(n_kernels, BIASES)
    return Kernels(weights, dilations, np.take_along_axis(pooled, at, axis=1))


def convolve(
    kernels: Kernels, signal_uv: Int16[np.ndarray, "record 12 time"], *, n_threads: int
) -> Float32[np.ndarray, "record feature"]:
    """Share of samples whose output lies above each threshold (PPV), kernels x thresholds per record."""
    features = np.empty((len(signal_uv), kernels.biases.size), np.float32)

    def work(first: int) -> None:
        for i in range(first, min(first + CHUNK, len(signal_uv))):
            features[i] = _shares(kernels, signal_uv[i])

    # BLAS keeps to one thread: the pool has the cores, and a record's products stay in cache.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(work, range(0, len(signal_uv), CHUNK)))
    return features


def _shares(kernels, record_uv):
    """[feature] of one record."""
    shares, first = np.empty(kernels.biases.shape, np.float32), 0
    for output in _outputs(kernels, record_uv):
        last = first + len(output)
        for j in range(kernels.biases.shape[1]):
            above = output > kernels.biases[first:last, j : j + 1]
            shares[first:last, j] = above.sum(1, dtype=np.int32)
        first = last
    return shares.ravel() / record_uv.shape[1]


def _outputs(kernels, record_uv):
    """Yields [kernel, time] per dilation; the first and last sample go on beyond the ends."""
    n = record_uv.shape[1]
    for dilation in np.unique(kernels.dilations):
        same = kernels.weights[kernels.dilations == dilation].reshape(-1, 12 * TAPS)
        padded = np.pad(record_uv * MV_PER_UV, ((0, 0), (4 * dilation, 4 * dilation)), mode="edge")
        taps = np.stack([padded[:, t * dilation : t * dilation + n] for t in range(TAPS)], axis=1)
        yield same @ taps.reshape(12 * TAPS, n)
