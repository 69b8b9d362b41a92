"""Retrieval of reports by recordings; the gallery holds each distinct report once."""

import numpy as np
from jaxtyping import Float, Int

from cgdmer_jax.batch import NO_TEXT


def recall_at(
    ecg: Float[np.ndarray, "record embedding"],
    text: Float[np.ndarray, "record embedding"],
    text_id: Int[np.ndarray, "record"],
    *,
    k: int,
) -> float:
    """Share of recordings with text whose own report is among the k most similar distinct reports."""
    with_text = text_id != NO_TEXT
    ids, first = np.unique(text_id[with_text], return_index=True)
    similarity = ecg[with_text] @ text[with_text][first].T
    own = np.searchsorted(ids, text_id[with_text])
    better = similarity > similarity[np.arange(len(own)), own][:, None]
    return float((better.sum(1) < k).mean())
