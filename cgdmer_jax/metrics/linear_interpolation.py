"""The best linear guess at hidden samples: the Gaussian conditional mean given whatever is visible around them.

One covariance, estimated on training recordings, serves every set of visible patches: with S the visible and H the
hidden samples of a window, x_H = mean_H + C_HS (C_SS + ridge)^-1 (x_S - mean_S), which is the ridge regression of x_H
on x_S that would be fitted for that very set.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from threadpoolctl import threadpool_limits

RIDGE_MV2 = np.float32(1e-5)  # added to each variance, (0.003 mV)^2 as rounding has: limb leads determine each other
WINDOWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Interpolation:
    """Mean of each lead, and covariance of the samples of all leads in 2 reach + 1 neighbouring patches, in mV."""

    patch_samples: int
    reach: int
    mean_mv: Float32[np.ndarray, "lead"]
    covariance: Float32[np.ndarray, "token patch token patch"]  # token = lead x patch of the window


def fit_interpolation(
    signal_mv: Float32[np.ndarray, "record lead time"], *, patch_samples: int, reach: int
) -> Interpolation:
    """From whole training recordings: every window of 2 reach + 1 patches of each counts once."""
    n_records, n_leads, n_samples = signal_mv.shape
    mean_mv = signal_mv.mean((0, 2), dtype=np.float64).astype(np.float32)
    n_patches, wide = n_samples // patch_samples, 2 * reach + 1
    size = n_leads * wide * patch_samples
    total, n_windows = np.zeros((size, size)), 0
    at_once = max(1, WINDOWS_AT_ONCE // n_patches)
    for first in range(0, n_records, at_once):
        centred = signal_mv[first : first + at_once] - mean_mv[:, None]
        windows = _windows(centred, patch_samples, wide)
        total += windows.T @ windows
        n_windows += len(windows)
    shape = (n_leads * wide, patch_samples) * 2
    return Interpolation(patch_samples, reach, mean_mv, (total / n_windows).astype(np.float32).reshape(shape))


def interpolate(
    fitted: Interpolation,
    signal_mv: Float32[np.ndarray, "record lead time"],
    visible: Bool[np.ndarray, "record lead patch"],
    *,
    n_threads: int,
) -> Float32[np.ndarray, "record lead time"]:
    """Visible samples as they are, each other one's conditional mean given the visible ones of its window."""

    # Samples of two tokens side by side, so that those of the visible ones are copied block by block.
    blocks = np.ascontiguousarray(fitted.covariance.transpose(0, 2, 1, 3))

    def one(record: int) -> np.ndarray:
        return _interpolate_one(fitted, blocks, signal_mv[record], visible[record])

    # The systems are small: one thread each, and the pool has the cores.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        return np.stack(list(pool.map(one, range(len(signal_mv)))))


def _interpolate_one(fitted, blocks, signal_mv, visible):
    n_leads, n_patches = visible.shape
    p, reach = fitted.patch_samples, fitted.reach
    wide = 2 * reach + 1
    mean = fitted.mean_mv[:, None]
    patches = np.where(visible[:, :, None], (signal_mv - mean).reshape(n_leads, n_patches, p), 0)
    padded = np.pad(patches, ((0, 0), (reach, reach), (0, 0)))
    seen = np.pad(visible, ((0, 0), (reach, reach)))
    at = np.arange(n_patches)[:, None] + np.arange(wide)  # [patch, place in its window]
    values = padded[:, at].transpose(1, 0, 2, 3).reshape(n_patches, n_leads * wide, p)
    patterns, of_patch = np.unique(seen[:, at].transpose(1, 0, 2).reshape(n_patches, -1), axis=0, return_inverse=True)
    centre = np.arange(n_leads) * wide + reach
    made = patches.copy()
    for number, pattern in enumerate(patterns):
        known, wanted = np.flatnonzero(pattern), np.flatnonzero(~pattern[centre])
        columns = np.flatnonzero(of_patch == number)
        if len(known) and len(wanted):
            given = values[columns][:, known].reshape(len(columns), -1).T
            solved = _solve(_between(blocks, known, known), given)
            cross = _between(blocks, centre[wanted], known)
            made[np.ix_(wanted, columns)] = (cross @ solved).reshape(len(wanted), p, -1).transpose(0, 2, 1)
    return (made + mean[:, :, None]).reshape(n_leads, -1).astype(np.float32)


def _between(blocks, rows, columns):
    """Covariance of the samples of these tokens with those of others."""
    n = blocks.shape[2]
    return blocks[rows[:, None], columns].transpose(0, 2, 1, 3).reshape(len(rows) * n, len(columns) * n)


def _solve(square, given):
    """(C_SS + ridge)^-1 given, of the known tokens' samples."""
    square[np.diag_indices_from(square)] += RIDGE_MV2
    return np.linalg.solve(square, given)


def _windows(signal_mv, patch_samples, wide):
    """[window, lead x place x sample]"""
    n_patches = signal_mv.shape[2] // patch_samples
    patches = signal_mv[:, :, : n_patches * patch_samples].reshape(*signal_mv.shape[:2], n_patches, patch_samples)
    at = np.arange(n_patches - wide + 1)[:, None] + np.arange(wide)
    return patches[:, :, at].transpose(0, 2, 1, 3, 4).reshape(len(patches) * len(at), -1)
