"""Token ids of every distinct report of a corpus, cached beside the store's tables; a stale cache is refused."""

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.reports import encode, tokenizer_sha256
from cgdmer_jax.data.store import Store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.whole_file import whole_file

CACHE = "cache"  # folder of a store; no part of its seal, and gone with it


class TokenTable(NamedTuple):
    """Line = text_id of the corpus."""

    tokens: Int32[np.ndarray, "text token"]
    mask: Bool[np.ndarray, "text token"]  # right-padded
    n_cut: int  # distinct texts that were longer


def token_table(corpus: Corpus, tokenizer: Tokenizer, max_tokens: int) -> TokenTable:
    """Encoded texts of the corpus; those of a single store are kept in its folder and read from there."""
    if len(corpus.stores) > 1:  # their joint texts belong to none of them
        return TokenTable(*encode(tokenizer, corpus.texts, max_tokens))
    key = _key(corpus.stores[0], tokenizer, max_tokens)
    path = corpus.stores[0].path / CACHE / f"tokens-{key['tokenizer'][:12]}-{max_tokens}.npz"
    if path.exists():
        return _read(path, key)
    table = TokenTable(*encode(tokenizer, corpus.texts, max_tokens))
    try:
        _write(path, key, table)
    except OSError as error:  # a store may lie where nobody writes
        print(f"{path} cannot be written ({error.strerror}); the reports are encoded again at each start")
    return table


def _key(store: Store, tokenizer: Tokenizer, max_tokens: int) -> dict[str, str | int]:
    """All that the token ids depend on."""
    return {
        "tokenizer": tokenizer_sha256(tokenizer),
        "max_tokens": max_tokens,
        "store": store.fingerprint,  # holds the sha256 of its texts
        "cleaning_version": store.info["cleaning_version"],
    }


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
    path.parent.mkdir(exist_ok=True)
    with whole_file(path) as file:
        np.savez_compressed(file, key=np.array(json.dumps(key)), **table._asdict())
