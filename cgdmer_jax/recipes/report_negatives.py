"""The table of reports that may stand in place of each other: made once for a store, by `config.method.negatives`."""

import numpy as np
from jaxtyping import Int32
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.text.tokenizer import tokenizer_sha256
from cgdmer_jax.data.text_columns import Encoding
from cgdmer_jax.data.text_neighbours import (
    Referenced,
    Vectors,
    choose,
    kept_beside,
    negatives_column,
    training_texts,
    word_vectors,
)
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_architecture import weights_sha256
from cgdmer_jax.methods.cmelt.config import BAND
from cgdmer_jax.methods.cmelt.method import NEGATIVES as NEGATIVES
from cgdmer_jax.recipes.stored_vectors import stored_vectors

POOLING = "mean"  # of an encoder's tokens, as released


def negatives(config: ConfigDict, table: TokenTable, corpus: Corpus, tokenizer: Tokenizer) -> Referenced:
    """For each text of the corpus its negatives among those of the training split."""
    wanted = config.method.negatives
    banded = wanted.chosen == BAND
    encoding = _encoding(wanted.encoder, config.data.max_tokens) if wanted.encoder else None
    key = {
        "chosen": wanted.chosen,
        "low": wanted.low if banded else "",
        "high": wanted.high if banded else "",
        "count": wanted.count,
        "by": encoding.weights if encoding else f"words-{tokenizer_sha256(tokenizer)}",
        "max_tokens": config.data.max_tokens,
    }

    def make() -> Int32[np.ndarray, "text negative"]:
        print(f"finding the negatives of {len(table.tokens):,} distinct reports, once for this store")
        if encoding is None:
            vectors: Vectors = word_vectors(table.tokens, table.mask)
        else:
            vectors = stored_vectors(corpus, encoding, wanted.encoder)
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        band = (wanted.low, wanted.high) if banded else None
        return choose(vectors, training_texts(corpus), wanted.count, band=band)

    chosen = kept_beside(corpus, key, len(table.tokens), make)
    return negatives_column(table.tokens, table.mask, chosen)


def blank_negatives(config: ConfigDict, size: int) -> Int32[np.ndarray, "batch negative value"]:
    """Zeros in the shape of a batch's part of that table, were there reports enough."""
    return np.zeros((size, config.method.negatives.count, 2 + config.data.max_tokens), np.int32)


def _encoding(encoder: str, max_tokens: int) -> Encoding:
    tower = load_text_encoder(encoder)
    return Encoding(weights_sha256(tower.params), tokenizer_sha256(tower.tokenizer), POOLING, max_tokens)
