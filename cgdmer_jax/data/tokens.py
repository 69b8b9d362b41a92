"""Token ids of every distinct report of a corpus, cached beside the store; a stale cache is refused."""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.reports import CLEANING_VERSION, encode, tokenizer_sha256
from cgdmer_jax.errors import CgdmerError


class TokenTable(NamedTuple):
    """Line = text_id of the corpus."""

    tokens: Int32[np.ndarray, "text token"]
    mask: Bool[np.ndarray, "text token"]  # right-padded
    n_cut: int  # distinct texts that were longer


def token_table(corpus: Corpus, tokenizer: Tokenizer, max_tokens: int, cache: Path | None) -> TokenTable:
    """Encoded texts of the corpus, from the cache folder when it holds them; None caches nothing."""
    key = {
        "tokenizer": tokenizer_sha256(tokenizer),
        "cleaning_version": CLEANING_VERSION,
        "texts": hashlib.sha256(json.dumps(corpus.texts).encode()).hexdigest(),
        "max_tokens": max_tokens,
    }
    if cache is None:
        return TokenTable(*encode(tokenizer, corpus.texts, max_tokens))
    path = cache / f"tokens-{_names(corpus)}-{key['tokenizer'][:12]}-{max_tokens}.npz"
    if path.exists():
        return _read(path, key)
    table = TokenTable(*encode(tokenizer, corpus.texts, max_tokens))
    _write(path, key, table)
    return table


def _names(corpus: Corpus) -> str:
    return "+".join(store.namespace for store in corpus.stores)


def _read(path: Path, key: dict[str, str | int]) -> TokenTable:
    try:
        with np.load(path, allow_pickle=False) as file:
            found = json.loads(str(file["key"]))
            table = TokenTable(file["tokens"], file["mask"], int(file["n_cut"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CgdmerError(f"token cache {path} cannot be read ({error}); delete it") from error
    differing = [field for field, value in key.items() if found.get(field) != value]
    if differing:
        raise CgdmerError(f"token cache {path} is stale (other {', '.join(differing)}); delete it")
    return table


def _write(path: Path, key: dict[str, str | int], table: TokenTable) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, key=np.array(json.dumps(key)), **table._asdict())
    os.replace(unfinished, path)
