"""Vectors of a frozen text encoder, one a distinct report, kept beside a store: a training step only reads them.

`experiments.encode_texts` makes them; here they are found again, or refused with that command.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.store.store import Store
from cgdmer_jax.data.text_cache import CACHE, Key, read_cache, write_cache
from cgdmer_jax.errors import CgdmerError

VECTORS = "text_vectors"  # the column's name in Batch.text_columns, float32 [B, D]


class Encoding(NamedTuple):
    """All that a text's vector depends on beside the text."""

    weights: str  # sha256
    tokenizer: str  # sha256
    pooling: str
    max_tokens: int

    def key(self, store: Store) -> Key:
        return self._asdict() | {"store": store.fingerprint, "cleaning_version": store.info["cleaning_version"]}

    def path(self, store: Store) -> Path:
        return store.path / CACHE / f"{VECTORS}-{self.weights[:12]}-{self.pooling}-{self.max_tokens}.npz"


def write_vectors(corpus: Corpus, encoding: Encoding, vectors: Float32[np.ndarray, "text width"]) -> list[Path]:
    """Keeps the vectors of the corpus's texts beside each of its stores, by that store's text_id."""
    line_of = {text: line for line, text in enumerate(corpus.texts)}
    paths = []
    for store in corpus.stores:
        own = vectors[[line_of[text] for text in store.texts]]
        paths.append(encoding.path(store))
        write_cache(paths[-1], encoding.key(store), {"vectors": own})
    return paths


def read_vectors(corpus: Corpus, encoding: Encoding, command: str) -> Float32[np.ndarray, "text width"]:
    """One vector a text_id of the corpus; `command` makes what is missing."""
    line_of = {text: line for line, text in enumerate(corpus.texts)}
    found = [_of_store(store, encoding, command) for store in corpus.stores]
    vectors = np.zeros((len(corpus.texts), found[0].shape[1]), np.float32)
    for store, own in zip(corpus.stores, found, strict=True):
        vectors[[line_of[text] for text in store.texts]] = own
    return vectors


def _of_store(store: Store, encoding: Encoding, command: str) -> Float32[np.ndarray, "text width"]:
    path, key = encoding.path(store), encoding.key(store)
    remedy = f"make it with {command}"
    if not path.exists():
        raise CgdmerError(f"store {store.path} has no vectors of this text encoder ({path.name}); {remedy}")
    return read_cache(path, key, what="text vectors", remedy=remedy)["vectors"]
