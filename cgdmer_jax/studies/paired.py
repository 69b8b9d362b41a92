"""A row of an ablation against the reference row, over shared patient resamples and training seeds."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import bootstrap, metrics
from cgdmer_jax.metrics.score_key import ScoreKey, parse_key
from cgdmer_jax.npz_file import read_arrays, write_arrays

SEED = 0  # of the draws of patients and of training seeds


class Samples(NamedTuple):
    """macro_ge10 AUROC of one run on each resample of the patients; a few kilobytes that outlive its run folder."""

    values: Float[np.ndarray, "resample"]
    basis: str  # hash of records, patients, labels and the classes in the mean: of equal ones, samples are pairs


def learned_classes(scores: Float[np.ndarray, "record klass"]) -> Bool[np.ndarray, "klass"]:
    """A class without a positive to learn from got the same score everywhere."""
    return np.ptp(scores, axis=0) > 0


def macro_samples(
    scores: Float[np.ndarray, "record klass"] | Float[np.ndarray, "draw record klass"],
    labels: Bool[np.ndarray, "record klass"],
    record_ids: Shaped[np.ndarray, "record"],
    patient_ids: Shaped[np.ndarray, "record"],
    n_resamples: int = bootstrap.N_RESAMPLES,
) -> Samples:
    """The same patients are drawn for every run that scored the same records; all NaN without a class to score.

    Of several draws (random weights, leads taken away at random) the mean of their figures, as the rows have it.
    """
    draws = scores.reshape(-1, *scores.shape[-2:])
    learned = np.all([learned_classes(one) for one in draws], axis=0)
    kept = learned & (labels.sum(0) >= metrics.ENOUGH_POSITIVES)
    weights = bootstrap.patient_weights(patient_ids, n_resamples, SEED)
    of_draws = [bootstrap.bootstrap_auroc(one[:, kept], labels[:, kept], weights) for one in draws]
    values = np.mean([metrics.macro(one, np.ones(kept.sum(), bool)) for one in of_draws], axis=0)
    basis = hashlib.sha256()
    for part in (record_ids.astype(str), patient_ids.astype(str), labels, kept):
        basis.update(repr((part.shape, part.dtype.str)).encode() + np.ascontiguousarray(part).tobytes())
    return Samples(values.astype(np.float32), basis.hexdigest())


def interval_of(row: Mapping[int, Samples]) -> bootstrap.Interval | None:
    """95 % of the row's macro, over patients and its seeds; None without resampled figures."""
    if not row or not all(np.isfinite(one.values).any() for one in row.values()):
        return None
    return _interval(np.stack([row[seed].values.astype(np.float64) for seed in sorted(row)]))


def paired_interval(row: Mapping[int, Samples], reference: Mapping[int, Samples]) -> bootstrap.Interval | None:
    """95 % of the row's macro less the reference's, over the seeds that both have; None where they are no pairs.

    Each resample draws patients and one seed, the same for both sides: seeds share their data order. With one seed the
    interval is over patients alone.
    """
    seeds = sorted(row.keys() & reference.keys())
    if not seeds or len({side[seed].basis for side in (row, reference) for seed in seeds}) > 1:
        return None
    return _interval(np.stack([row[seed].values.astype(np.float64) - reference[seed].values for seed in seeds]))


def _interval(of_seeds: Float[np.ndarray, "seed resample"]) -> bootstrap.Interval:
    """Over resamples that each draw one seed."""
    n_resamples = of_seeds.shape[1]
    chosen = bootstrap.seed_of_resample(len(of_seeds), n_resamples, SEED)
    return bootstrap.interval(of_seeds[chosen, np.arange(n_resamples)])


def save_samples(path: Path, samples: Mapping[ScoreKey, Samples]) -> None:
    """One .npz of all, named as in predictions.npz."""
    arrays = {f"{key.text()}/values": one.values for key, one in samples.items()}
    arrays |= {f"{key.text()}/basis": np.array(one.basis) for key, one in samples.items()}
    write_arrays(path, arrays, compress=True)


def load_samples(path: Path) -> dict[ScoreKey, Samples]:
    """Reads what `save_samples` wrote."""
    remedy = "restore it, or delete it: the table then has no intervals of that run"
    arrays = read_arrays(path, remedy=remedy)
    names = [name.removesuffix("/values") for name in arrays if name.endswith("/values")]
    if lacking := [name for name in names if f"{name}/basis" not in arrays]:
        raise CgdmerError(f"{path} lacks {lacking[0]}/basis; {remedy}")
    try:
        keys = {parse_key(name): name for name in names}
    except CgdmerError as error:
        raise CgdmerError(f"{path}: {error}; {remedy}") from error
    return {key: Samples(arrays[f"{name}/values"], str(arrays[f"{name}/basis"])) for key, name in keys.items()}
