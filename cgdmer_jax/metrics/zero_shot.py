"""Whether negation is understood: an affirmed finding against its own negation."""

import numpy as np
from jaxtyping import Bool, Float


def affirmed_share(
    affirmed: Float[np.ndarray, "record klass"],
    negated: Float[np.ndarray, "record klass"],
    labels: Bool[np.ndarray, "record klass"],
) -> Float[np.ndarray, "klass"]:
    """Share of a class's positives whose affirmed sentence scores above its negation; NaN if none."""
    n_positive = labels.sum(0)
    right = ((affirmed > negated) & labels).sum(0)
    return np.divide(right, n_positive, out=np.full(labels.shape[1], np.nan), where=n_positive > 0)
