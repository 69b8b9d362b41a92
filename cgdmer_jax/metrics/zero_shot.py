"""Zero-shot scores batch by batch (the class vector is the method's), and whether negation is understood."""

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float

from cgdmer_jax.batch import Batch


def collect_scores(
    scores: Callable[[Batch], Float[np.ndarray, "batch klass"]], batches: Iterable[tuple[Batch, int]]
) -> Float[np.ndarray, "record klass"]:
    """Scores of all records from (batch, number of real records in it), padding cut off."""
    return np.concatenate([np.asarray(scores(batch))[:n_real] for batch, n_real in batches])


def affirmed_share(
    affirmed: Float[np.ndarray, "record klass"],
    negated: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
) -> Float[np.ndarray, "klass"]:
    """Share of a class's positives whose affirmed sentence scores above its negation; NaN if none."""
    n_positive = labels.sum(0)
    right = ((affirmed > negated) & labels).sum(0)
    return np.divide(right, n_positive, out=np.full(labels.shape[1], np.nan), where=n_positive > 0)
