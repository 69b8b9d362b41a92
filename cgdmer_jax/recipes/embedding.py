"""Embeds the records of a corpus with a trained run, and caches the features on disk."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int64

from cgdmer_jax import provenance
from cgdmer_jax.batch import Batch
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.npz_file import read_arrays, write_arrays
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.trained_run import Trained

# On 2 CPU cores, two at a time: 193 records/s of nano in fours, 174 in eights, 140 by 32 (memory faulted in anew).
EVALUATION_BATCH = 4 if jax.default_backend() == "cpu" else 256
AT_ONCE = 2
Features = dict[str, Float[np.ndarray, "record feature"]]


def embedder(method: Method, names: Sequence[str]) -> Callable:
    """variables, batch -> these features; compiled once for all weights of one architecture."""

    def features_of(variables: Variables, batch: Batch) -> dict:
        made = method.embed_ecg(variables, batch)
        return {name: made[name] for name in names}

    return jax.jit(features_of)


def feature_names(trained: Trained) -> list[str]:
    """What the method's `embed_ecg` gives."""
    shapes = build.shapes_of(2, trained.contract, trained.config.data.max_tokens)
    return sorted(jax.eval_shape(trained.method.embed_ecg, trained.variables, shapes))


def embed(
    features_of: Callable,
    variables: Variables,
    corpus: Corpus,
    lines: Int64[np.ndarray, "record"],
    table: TokenTable,
    label: str,
) -> Features:
    """Features by name of the records on these lines."""
    batches = build.read_batches(corpus, lines, table, EVALUATION_BATCH)
    return embed_batches(features_of, variables, batches, len(lines), label)


def embed_batches(
    features_of: Callable, variables: Variables, batches: Iterable[tuple[Batch, int]], n_records: int, label: str
) -> Features:
    """The same of (batch, number of real records in it)."""
    parts: dict[str, list[np.ndarray]] = {}
    pending: deque[Future[Features]] = deque()

    def compute(batch: Batch, n_real: int) -> Features:
        return {name: np.asarray(value)[:n_real] for name, value in features_of(variables, batch).items()}

    def collect() -> None:
        made = pending.popleft().result()
        for name, value in made.items():
            parts.setdefault(name, []).append(value)
        progress.update(len(value))

    with progress_bar(n_records, "record", label) as progress:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for batch, n_real in batches:
                pending.append(pool.submit(compute, batch, n_real))
                if len(pending) > AT_ONCE:
                    collect()
            while pending:
                collect()
    return {name: np.concatenate(values) for name, values in parts.items()}


def cached(path: Path, lines: Int64[np.ndarray, "record"], compute: Callable[[], Features]) -> Features:
    """Reads that file, or computes and writes it whole; its name carries the hashes of content, records and code."""
    of_lines = hashlib.sha256(lines.astype("<i8").tobytes()).hexdigest()
    path = path.with_stem(f"{path.stem}-{of_lines[:8]}-{provenance.code_sha256()[:8]}")
    if path.exists():
        try:
            return read_arrays(path, remedy="it is made again")
        except CgdmerError as error:
            print(error)
    features = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, features, compress=False)
    return features
