"""Negatives of every distinct report: other reports chosen by their cosine to it, found once and kept beside the store.

Only reports of the training split are candidates. Blocks of a matrix product find them: nothing is searched in a step.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64
from scipy import sparse

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.referenced import Referenced
from cgdmer_jax.data.text_cache import CACHE, Key, read_cache, write_cache
from cgdmer_jax.errors import CgdmerError

VERSION = 1  # of the choice
BLOCK = 512  # reports that are compared with all candidates at a time
REMEDY = "it is made again"
Vectors = Float32[np.ndarray, "text width"] | sparse.csr_array


def negatives_column(
    tokens: Int32[np.ndarray, "text token"],
    token_mask: Bool[np.ndarray, "text token"],
    chosen: Int32[np.ndarray, "text negative"],
) -> Referenced:
    """Per text and negative in a row: its text id, its number of tokens, its tokens."""
    ids, length = np.arange(len(tokens), dtype=np.int32), token_mask.sum(1, dtype=np.int32)
    return Referenced(np.concatenate([ids[:, None], length[:, None], tokens], axis=1), chosen)


def word_vectors(
    tokens: Int32[np.ndarray, "text token"], token_mask: Bool[np.ndarray, "text token"]
) -> sparse.csr_array:
    """Unit vectors of the word pieces of each text: counts by the log of how few texts have the piece (TF-IDF).

    What all texts have, as the marks of their ends, therefore counts for nothing.
    """
    text, _ = np.nonzero(token_mask)
    shape = (len(tokens), int(tokens.max(initial=0)) + 1)
    counts = sparse.coo_array((np.ones(len(text), np.float32), (text, tokens[token_mask])), shape=shape).tocsr()
    n_with = np.bincount(counts.indices, minlength=shape[1])
    weighed = counts.multiply(np.log((1 + len(tokens)) / (1 + n_with)).astype(np.float32)[None, :])
    norm = np.sqrt(weighed.multiply(weighed).sum(1))
    return sparse.csr_array(weighed.multiply(1 / np.maximum(norm, 1e-12)[:, None]), dtype=np.float32)


def choose(
    vectors: Vectors,
    candidates: Int64[np.ndarray, "candidate"],
    count: int,
    *,
    band: tuple[float, float] | None,
    seed: int = 0,
) -> Int32[np.ndarray, "text negative"]:
    """Text ids of the negatives of each text, at most `count`; never the text itself.

    With a `band` of cosines (lowest, highest) those in it come first, in random order, then those of lower cosine, the
    nearest to the band first, then those above it, which say nearly the same. Without one, those of the lowest cosine.
    """
    count = min(count, len(candidates) - 1)
    if count < 1:
        raise CgdmerError(
            f"the training split has {len(candidates)} distinct reports, so none can stand in place of another; give "
            "more recordings with reports, or --config.method.replaced=0"
        )
    candidate_vectors = vectors[candidates].T
    chosen = np.zeros((vectors.shape[0], count), np.int32)
    for first in range(0, len(chosen), BLOCK):
        texts = np.arange(first, min(first + BLOCK, len(chosen)))
        cosine = vectors[texts] @ candidate_vectors
        cosine = cosine.toarray() if sparse.issparse(cosine) else cosine
        order = cosine
        if band is not None:
            # A generator for each block: its numbers depend on nothing but the place of the texts.
            chance = np.random.default_rng((seed, first)).random(cosine.shape, np.float32)
            low, high = band
            order = np.where(cosine < low, 1 + low - cosine, np.where(cosine > high, 3 + cosine - high, chance))
        order = np.where(candidates[None, :] == texts[:, None], np.inf, order)
        best = np.argpartition(order, count - 1, axis=1)[:, :count]
        chosen[texts] = candidates[np.sort(best, axis=1)]
    return chosen


def training_texts(corpus: Corpus) -> Int64[np.ndarray, "text"]:
    """Ids of the reports that training records have."""
    ids = np.unique(corpus.text_id[corpus.lines("train")])
    return ids[ids != NO_TEXT].astype(np.int64)


def kept_beside(
    corpus: Corpus, key: Key, n_texts: int, make: Callable[[], Int32[np.ndarray, "text negative"]]
) -> Int32[np.ndarray, "text negative"]:
    """The result of `make`, kept by key for the next start; with several stores it is made each time."""
    if len(corpus.stores) > 1:  # their joint texts belong to none of them
        return make()
    store = corpus.stores[0]
    key = key | {
        "version": VERSION,
        "store": store.fingerprint,
        "cleaning_version": store.info["cleaning_version"],
    }
    path = store.path / CACHE / f"negatives-{key['chosen']}-{key['by'][:12]}.npz"
    if path.exists():
        try:
            return _read(path, key, n_texts)
        except CgdmerError as error:
            print(error)
    made = make()
    try:
        write_cache(path, key, {"negatives": made})
    except OSError as error:  # a store may lie where nobody writes
        print(f"{path} cannot be written ({error.strerror}); negatives are found again at each start")
    return made


def _read(path: Path, key: Key, n_texts: int) -> Int32[np.ndarray, "text negative"]:
    """The table of that file; raises where it is damaged, of something else, or names texts that are not there."""
    most_bytes = 4 * n_texts * int(key["count"]) + (1 << 20)
    found = read_cache(path, key, what="table of negatives", remedy=REMEDY, most_bytes=most_bytes).get("negatives")
    fits = found is not None and found.dtype == np.int32 and found.ndim == 2 and len(found) == n_texts
    if not fits or not found.size or not 0 <= found.min() <= found.max() < n_texts:
        raise CgdmerError(f"{path} holds no negatives of {n_texts} texts; {REMEDY}")
    return found
