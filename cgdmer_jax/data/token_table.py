"""Token ids of every distinct report of a corpus, cached beside the store's tables; a stale cache is refused."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int32
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.store.store import Store
from cgdmer_jax.data.text.tokenizer import encode, tokenizer_sha256
from cgdmer_jax.data.text_cache import CACHE, Key, read_cache, write_cache


class TokenTable(NamedTuple):
    """Line = text_id of the corpus."""

    tokens: Int32[np.ndarray, "text token"]
    mask: Bool[np.ndarray, "text token"]  # right-padded
    n_cut: int  # distinct texts that were longer
    columns: dict[str, Float32[np.ndarray, "text width"]]  # further tables that a method needs (text_columns.py)


def token_table(corpus: Corpus, tokenizer: Tokenizer, max_tokens: int) -> TokenTable:
    """Encoded texts of the corpus; those of a single store are kept in its folder and read from there."""
    if len(corpus.stores) > 1:  # their joint texts belong to none of them
        return TokenTable(*encode(tokenizer, corpus.texts, max_tokens), {})
    key = _key(corpus.stores[0], tokenizer, max_tokens)
    path = corpus.stores[0].path / CACHE / f"tokens-{key['tokenizer'][:12]}-{max_tokens}.npz"
    if path.exists():
        found = read_cache(path, key, what="token cache", remedy="delete it")
        return TokenTable(found["tokens"], found["mask"], int(found["n_cut"]), {})
    table = TokenTable(*encode(tokenizer, corpus.texts, max_tokens), {})
    try:
        write_cache(path, key, {"tokens": table.tokens, "mask": table.mask, "n_cut": np.array(table.n_cut)})
    except OSError as error:  # a store may lie where nobody writes
        print(f"{path} cannot be written ({error.strerror}); the reports are encoded again at each start")
    return table


def _key(store: Store, tokenizer: Tokenizer, max_tokens: int) -> Key:
    """All that the token ids depend on."""
    return {
        "tokenizer": tokenizer_sha256(tokenizer),
        "max_tokens": max_tokens,
        "store": store.fingerprint,  # holds the sha256 of its texts
        "cleaning_version": store.info["cleaning_version"],
    }
