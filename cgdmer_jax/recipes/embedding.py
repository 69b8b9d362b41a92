"""Embeds the records of a corpus with a trained run, and caches the features on disk."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Int64

from cgdmer_jax import provenance
from cgdmer_jax.batch import Batch
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.batched import Features, embed_recordings, records_at_once
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.npz_file import read_arrays, write_arrays
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.trained_run import Trained

REMEDY = "it is made again"


def embedder(method: Method, names: Sequence[str]) -> Callable:
    """variables, batch -> these features; compiled once for all weights of one architecture."""

    def features_of(variables: Variables, batch: Batch) -> dict:
        made = method.embed_ecg(variables, batch)
        return {name: made[name] for name in names}

    return jax.jit(features_of)


def feature_names(trained: Trained) -> list[str]:
    """Names of the features that the method's `embed_ecg` returns."""
    blank = build.blank_batch_of(2, trained.contract, trained.config.data.max_tokens)
    return sorted(jax.eval_shape(trained.method.embed_ecg, trained.variables, blank))


def embed(
    features_of: Callable,
    variables: Variables,
    corpus: Corpus,
    lines: Int64[np.ndarray, "record"],
    table: TokenTable,
    label: str,
) -> Features:
    """Features by name of the records on these lines."""
    batches = build.read_batches(corpus, lines, table, records_at_once())
    return embed_batches(features_of, variables, batches, len(lines), label)


def embed_batches(
    features_of: Callable, variables: Variables, batches: Iterable[tuple[Batch, int]], n_records: int, label: str
) -> Features:
    """The same of (batch, number of real records in it)."""
    with progress_bar(n_records, "record", label) as progress:
        return embed_recordings(features_of, variables, batches, progress.update)


def cached(
    path: Path, lines: Int64[np.ndarray, "record"], names: Sequence[str], compute: Callable[[], Features]
) -> Features:
    """Reads these features from that file, or computes and writes it whole.

    Its name carries the hashes of content, records and code. A file that is damaged, or holds other features, is
    reported and made again.
    """
    of_lines = hashlib.sha256(lines.astype("<i8").tobytes()).hexdigest()
    path = path.with_stem(f"{path.stem}-{of_lines[:8]}-{provenance.code_sha256()[:8]}")
    if path.exists():
        try:
            return _read_features(path, len(lines), names)
        except CgdmerError as error:
            print(error)
    features = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, features, compress=False)
    return features


def _read_features(path: Path, n_records: int, names: Sequence[str]) -> Features:
    found = read_arrays(path, remedy=REMEDY)
    numbers = all(x.dtype.kind == "f" and x.ndim == 2 and len(x) == n_records for x in found.values())
    if found.keys() != set(names) or not numbers:
        raise CgdmerError(f"{path} does not hold {', '.join(names)} of {n_records} records; {REMEDY}")
    return found
