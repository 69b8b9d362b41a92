"""Hiding samples for good, and errors over them from sums a record: exact for any set, quick for every resample."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int16

LIMB = slice(0, 6)  # I, II, III, aVR, aVL, aVF: any two give the other four
KINDS = ("independent", "derivable", "all")


def split_hidden(
    hidden: Bool[np.ndarray, "record lead patch"], visible: Bool[np.ndarray, "record lead patch"]
) -> dict[str, Bool[np.ndarray, "record lead patch"]]:
    """Hidden patches by kind. `derivable`: of a limb lead while two other limb leads are visible, so arithmetic."""
    solvable = visible[:, LIMB].sum(1) >= 2
    derivable = np.zeros_like(hidden)
    derivable[:, LIMB] = hidden[:, LIMB] & solvable[:, None]
    return dict(zip(KINDS, (hidden & ~derivable, derivable, hidden), strict=True))


def without_hidden(
    signal_uv: Int16[np.ndarray, "record lead time"],
    visible: Bool[np.ndarray, "record lead patch"],
    hidden: Bool[np.ndarray, "record lead patch"],
) -> Int16[np.ndarray, "record lead time"]:
    """Hidden samples replaced by mean +- standard deviation, in turns, of their lead's visible ones.

    So nothing of a hidden sample reaches a method, and its scale is that of the visible samples whatever it is taken
    over. A lead of which nothing is visible gets the mean and deviation of the whole record's visible samples.
    """
    n_samples = signal_uv.shape[2]
    seen, gone = (_samples_of(patches, n_samples) for patches in (visible, hidden))
    values = signal_uv.astype(np.float64)
    mean, std = _moments(values, seen, (2,))
    mean_all, std_all = _moments(values, seen, (1, 2))
    some = seen.any(2, keepdims=True)
    mean, std = np.where(some, mean, mean_all), np.where(some, std, std_all)
    turns = np.where(np.arange(n_samples) % 2, -1, 1)
    return np.where(gone, np.rint(mean + turns * std), values).astype(np.int16)


def sums_of_records(
    true_mv: Float[np.ndarray, "record lead time"],
    made_mv: Float[np.ndarray, "record lead time"],
    chosen: Bool[np.ndarray, "record lead patch"],
) -> Float64[np.ndarray, "record 7"]:
    """Sums over the chosen patches' samples: n, x, y, x^2, y^2, x y and (y - x)^2."""
    patch_samples = true_mv.shape[2] // chosen.shape[2]
    weight = np.repeat(chosen, patch_samples, axis=2).astype(np.float64)
    x, y = true_mv.astype(np.float64), made_mv.astype(np.float64)
    terms = (np.ones_like(x), x, y, x * x, y * y, x * y, (y - x) ** 2)
    return np.stack([(weight * term).sum((1, 2)) for term in terms], axis=1)


def rmse(sums: Float64[np.ndarray, "*set 7"]) -> Float64[np.ndarray, "*set"]:
    """Root mean squared error in the samples' unit; NaN without samples."""
    return np.asarray(np.sqrt(_over(sums[..., 6], sums[..., 0])))


def pearson(sums: Float64[np.ndarray, "*set 7"]) -> Float64[np.ndarray, "*set"]:
    """Correlation over all samples of the set; NaN where one side is constant or there are none."""
    n, x, y, xx, yy, xy, _ = np.moveaxis(sums, -1, 0)
    spread = np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0)
    return np.asarray(_over(n * xy - x * y, np.sqrt(spread)))


def _samples_of(patches, n_samples):
    """[..., patch] -> [..., sample]; False after the last whole patch."""
    patch_samples = n_samples // patches.shape[2]
    samples = np.repeat(patches, patch_samples, axis=2)
    return np.pad(samples, ((0, 0), (0, 0), (0, n_samples - samples.shape[2])))


def _moments(values, chosen, axes):
    n = np.maximum(chosen.sum(axes, keepdims=True), 1)
    mean = np.where(chosen, values, 0).sum(axes, keepdims=True) / n
    variance = np.where(chosen, (values - mean) ** 2, 0).sum(axes, keepdims=True) / n
    return mean, np.sqrt(variance)


def _over(above, below):
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
