"""Retrieval between recordings and reports, both ways; each distinct report stands once."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy.special import gammaln

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.errors import CgdmerError

BLOCK = 1024  # queries compared with the whole gallery at a time


def ecg_to_text_ranks(
    ecg: Float[np.ndarray, "record embedding"],
    text: Float[np.ndarray, "text embedding"],
    own: Int[np.ndarray, "record"],
) -> Float64[np.ndarray, "record"]:
    """Rank (1 = first) of each recording's report, number `own`, among the distinct reports."""
    return _ranks(ecg, text, lambda some: own[some, None] == np.arange(len(text)))


def text_to_ecg_ranks(
    ecg: Float[np.ndarray, "record embedding"],
    text: Float[np.ndarray, "text embedding"],
    own: Int[np.ndarray, "record"],
) -> Float64[np.ndarray, "text"]:
    """Rank, among all recordings, of the best one that has this report."""
    return _ranks(text, ecg, lambda some: some[:, None] == own)


def ranks_of_own(
    similarity: Float[np.ndarray, "query item"], own: Bool[np.ndarray, "query item"]
) -> Float64[np.ndarray, "query"]:
    """Rank (1 = first) of each query's best own item.

    1 + the items that are more similar + half of the others that are as similar: nobody gains by collapsing. Counting
    needs no order of the whole gallery, as scipy.stats.rankdata would.
    """
    best = np.where(own, similarity, -np.inf).max(1, keepdims=True)
    return 1 + (similarity > best).sum(1) + 0.5 * ((similarity == best) & ~own).sum(1)


def recall_at(
    ecg: Float[np.ndarray, "record embedding"],
    text: Float[np.ndarray, "record embedding"],
    text_id: Int[np.ndarray, "record"],
    *,
    k: int,
) -> float:
    """Share of recordings with text whose own report is among the k most similar distinct reports."""
    with_text = text_id != NO_TEXT
    _, first, own = np.unique(text_id[with_text], return_index=True, return_inverse=True)
    ranks = ecg_to_text_ranks(ecg[with_text], text[with_text][first], own)
    return float((ranks <= k).mean())


def chance_within(n_gallery: int, n_own: Int[np.ndarray, "query"]) -> Float64[np.ndarray, "rank"]:
    """Expected recall at 1, 2, ... n_gallery of a random order, when a query has `n_own` hits in the gallery.

    1 - C(n - m, k) / C(n, k): the hypergeometric chance of no hit among the first k.
    """
    k = np.arange(1, n_gallery + 1)
    within = np.zeros(n_gallery)
    for m, count in zip(*np.unique(n_own, return_counts=True), strict=True):
        missed = _log_choose(n_gallery - m, np.minimum(k, n_gallery - m)) - _log_choose(n_gallery, k)
        within += count * (1 - np.where(k <= n_gallery - m, np.exp(missed), 0.0))
    return within / len(n_own)


def _ranks(queries, gallery, is_own):
    if not (np.isfinite(queries).all() and np.isfinite(gallery).all()):
        raise CgdmerError("retrieval met embeddings that are not finite; look at the loss of the run that made them")
    ranks = np.empty(len(queries))
    for first in range(0, len(queries), BLOCK):
        some = np.arange(first, min(first + BLOCK, len(queries)))
        similarity = queries[some] @ gallery.T
        ranks[some] = ranks_of_own(similarity, is_own(some))
    return ranks


def _log_choose(n, k):
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
