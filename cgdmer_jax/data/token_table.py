"""Token ids of every distinct report of a corpus, cached beside the store's tables; a bad cache is made again."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32, Shaped
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.referenced import Referenced
from cgdmer_jax.data.store.store import Store
from cgdmer_jax.data.text.special_tokens import vocabulary_size
from cgdmer_jax.data.text.tokenizer import encode, tokenizer_sha256
from cgdmer_jax.data.text_cache import CACHE, Key, read_cache, write_cache
from cgdmer_jax.errors import CgdmerError

REMEDY = "it is made again"


class TokenTable(NamedTuple):
    """Line = text_id of the corpus."""

    tokens: Int32[np.ndarray, "text token"]
    mask: Bool[np.ndarray, "text token"]  # right-padded
    n_cut: int  # distinct texts that were longer
    columns: dict[
        str, Shaped[np.ndarray, "text ..."] | Referenced
    ]  # further tables that a method needs (text_columns.py)


def token_table(corpus: Corpus, tokenizer: Tokenizer, max_tokens: int) -> TokenTable:
    """Encoded texts of the corpus; those of a single store are kept in its folder and read from there."""
    if len(corpus.stores) > 1:  # their joint texts belong to none of them
        return TokenTable(*encode(tokenizer, corpus.texts, max_tokens), {})
    key = _key(corpus.stores[0], tokenizer, max_tokens)
    path = corpus.stores[0].path / CACHE / f"tokens-{key['tokenizer'][:12]}-{max_tokens}.npz"
    if path.exists():
        try:
            return _read(path, key, len(corpus.texts), vocabulary_size(tokenizer))
        except CgdmerError as error:
            print(error)
    table = TokenTable(*encode(tokenizer, corpus.texts, max_tokens), {})
    try:
        write_cache(path, key, {"tokens": table.tokens, "mask": table.mask, "n_cut": np.array(table.n_cut)})
    except OSError as error:  # a store may lie where nobody writes
        print(f"{path} cannot be written ({error.strerror}); the reports are encoded again at each start")
    return table


def _read(path: Path, key: Key, n_texts: int, vocabulary: int) -> TokenTable:
    """The table of that file; raises where it is damaged, of something else, or no table of so many texts."""
    shape = (n_texts, int(key["max_tokens"]))
    most_bytes = 5 * shape[0] * shape[1] + (1 << 20)  # int32, bool, and what is small
    found = read_cache(path, key, what="token cache", remedy=REMEDY, most_bytes=most_bytes)
    expected = {"tokens": (np.int32, shape), "mask": (np.bool_, shape), "n_cut": (np.int64, ())}
    described = {name: (array.dtype.type, array.shape) for name, array in found.items()}
    if described != expected or not np.all((found["tokens"] >= 0) & (found["tokens"] < vocabulary)):
        raise CgdmerError(f"{path} holds no token ids of {n_texts} texts; {REMEDY}")
    return TokenTable(found["tokens"], found["mask"], int(found["n_cut"]), {})


def _key(store: Store, tokenizer: Tokenizer, max_tokens: int) -> Key:
    """All that the token ids depend on."""
    return {
        "tokenizer": tokenizer_sha256(tokenizer),
        "max_tokens": max_tokens,
        "store": store.fingerprint,  # holds the sha256 of its texts
        "cleaning_version": store.info["cleaning_version"],
    }
