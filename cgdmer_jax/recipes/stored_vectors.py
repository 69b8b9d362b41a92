"""Vectors of a frozen text encoder, read from beside the stores, or the command that makes what is missing."""

import numpy as np
from jaxtyping import Float32

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.text_columns import Encoding, read_vectors


def stored_vectors(corpus: Corpus, encoding: Encoding, text: str) -> Float32[np.ndarray, "text width"]:
    """One vector a text of the corpus; `text` names the encoder as encode_texts has it."""
    stores = ",".join(str(store.path) for store in corpus.stores)
    command = (
        f"python -m experiments.encode_texts --store={stores} --text={text} "
        f"--pooling={encoding.pooling} --max_tokens={encoding.max_tokens}"
    )
    return read_vectors(corpus, encoding, command)
