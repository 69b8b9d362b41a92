"""A store, and a store whose conversion was killed: written whole, and read again after a bit was flipped in them."""

import contextlib
import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.text.tokenizer import train_wordpiece
from cgdmer_jax.data.token_table import token_table
from tests.data.small_stores import N_SAMPLES, TASK, small_source

REPORTS = [None if row == 5 else f"sinus rhythm, beat number {row}, größer" for row in range(14)]
KILLED_AT = "r9"  # in the third of four shards


class _Killed(BaseException):
    """Stands for the kill."""


@cache
def _tokenizer() -> Tokenizer:
    return train_wordpiece([report for report in REPORTS if report] * 3, 100)


def _source() -> Source:
    return small_source(REPORTS, rejected=(6,))


def _convert(source: Source, folder: Path) -> None:
    convert(source, folder, rate=100, seconds=N_SAMPLES / 100, progress=False, rows_per_shard=4)


def make_store(folder: Path) -> None:
    _convert(_source(), folder)
    token_table(Corpus([open_store(folder)]), _tokenizer(), 12)  # leaves its cache in the store


def store_values(folder: Path) -> object:
    """All that a program reads of a store."""
    return repr(list(store_parts(folder).values()))  # unlike the values themselves, equal where they hold NaN


def store_parts(folder: Path) -> dict[str, object]:
    """The same by name; equal where equal values hold NaN."""
    store = open_store(folder)
    tokens, mask, n_cut, _ = token_table(Corpus([store]), _tokenizer(), 12)
    values = {
        "dataset.json": store.info,
        "fingerprint": store.fingerprint,
        "samples": store.read(np.arange(store.n_rows)).tobytes(),
        "records": repr(store.records.to_pylist()),
        "labels": store.labels(TASK).tolist(),
        "texts": store.texts,
        "tokens": (tokens.tolist(), mask.tolist(), n_cut),
    }
    store.verify()
    return values


def make_unfinished(folder: Path) -> None:
    whole = _source()

    def read(record: SourceRecord) -> Recording:
        if record.record_id == KILLED_AT:
            raise _Killed
        return whole.read(record)

    with contextlib.suppress(_Killed):
        _convert(replace(whole, read=read), folder)


def continued_bytes(folder: Path) -> object:
    """Every file of the store that the same command makes of what the kill left."""
    _convert(_source(), folder)
    open_store(folder).verify()
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
