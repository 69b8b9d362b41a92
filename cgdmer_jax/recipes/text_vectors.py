"""Vectors of all reports from a text encoder, cached beside the store."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float32

from cgdmer_jax import path_arguments
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.text.tokenizer import encode, tokenizer_sha256
from cgdmer_jax.data.text_columns import Encoding, write_vectors
from cgdmer_jax.interop.huggingface import TextTower, load_text_encoder
from cgdmer_jax.interop.text_architecture import weights_sha256
from cgdmer_jax.methods import batched
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.text.tower import pool
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes import build

AT_ONCE = 64
STEP = 8  # texts are padded to a multiple of so many tokens: that many fewer shapes to compile


def encode_texts(stores: Sequence[str], text: str, pooling: str, max_tokens: int) -> None:
    """Writes the vectors beside each store."""
    corpus = open_corpus(stores)
    build.check_cleaning(corpus)
    tower = load_text_encoder(text)
    encoding = Encoding(weights_sha256(tower.params), tokenizer_sha256(tower.tokenizer), pooling, max_tokens)
    for store in corpus.stores:
        path_arguments.output_folder(encoding.path(store).parent)
    vectors, n_cut = vectors_of(tower, corpus.texts, pooling, max_tokens)
    for path in write_vectors(corpus, encoding, vectors):
        print(f"{path}: {vectors.shape[1]} numbers a text")
    print(f"{len(corpus.texts)} distinct texts, {n_cut} of them cut at {max_tokens} tokens")


def vectors_of(
    tower: TextTower, texts: Sequence[str], pooling: str, max_tokens: int
) -> tuple[Float32[np.ndarray, "text width"], int]:
    """One vector a text, encoded together with others of its length; and how many texts were cut."""
    tokens, mask, n_cut = encode(tower.tokenizer, texts, max_tokens)
    length = mask.sum(1, dtype=np.int32)

    order = np.argsort(length, kind="stable")
    made = np.zeros((len(texts), tower.facts.width), np.float32)
    if not len(texts):
        return made, n_cut

    @jax.jit
    def vectors(variables, tokens, token_mask):
        length = token_mask.sum(1, dtype=np.int32)
        return pool(tower.module.apply({"params": variables.params}, tokens, length), length, pooling)

    with progress_bar(len(texts), "text") as bar:

        def read(some: slice) -> batched.Texts:
            lines = order[some]
            width = min(-(-int(length[lines].max()) // STEP) * STEP, max_tokens)
            bar.update(len(lines))
            return tokens[lines, :width], mask[lines, :width]

        variables = Variables(jax.device_put(tower.params), {})
        made[order] = batched.embed_texts(vectors, variables, read, len(texts), AT_ONCE)
    return made, n_cut
