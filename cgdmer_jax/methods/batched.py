"""Embedding with any method in batches of one shape, so that its functions are compiled once: recordings and texts.

The model folder and the evaluation share these loops.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Int32

from cgdmer_jax.batch import Batch, filled_up
from cgdmer_jax.methods.protocol import Variables

TEXTS_AT_ONCE = 256
AT_ONCE = 2  # batches of recordings
Features = dict[str, Float[np.ndarray, "record feature"]]
Texts = tuple[Int32[np.ndarray, "text token"], Bool[np.ndarray, "text token"]]  # tokens and their mask


def records_at_once() -> int:
    """Batch size of recordings.

    On 2 CPU cores, two batches at a time: 193 records/s of nano in fours, 174 in eights, 140 by 32 (memory faulted in
    anew).
    """
    return 4 if jax.default_backend() == "cpu" else 256


def embed_recordings(
    features_of: Callable[[Variables, Batch], dict],
    variables: Variables,
    batches: Iterable[tuple[Batch, int]],
    done: Callable[[int], object] = lambda n_records: None,
) -> Features:
    """Features by name, {} of no batch; `batches` come with the number of real records in each, `done` is told it."""
    parts: dict[str, list[np.ndarray]] = {}
    pending: deque[tuple[Future[Features], int]] = deque()

    def compute(batch: Batch, n_real: int) -> Features:
        return {name: np.asarray(value)[:n_real] for name, value in features_of(variables, batch).items()}

    def collect() -> None:
        made, n_real = pending.popleft()
        for name, value in made.result().items():
            parts.setdefault(name, []).append(value)
        done(n_real)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch, n_real in batches:
            pending.append((pool.submit(compute, batch, n_real), n_real))
            if len(pending) > AT_ONCE:
                collect()
        while pending:
            collect()
    return {name: np.concatenate(values) for name, values in parts.items()}


def embed_texts(
    embed: Callable[[Variables, np.ndarray, np.ndarray], Any],
    variables: Variables,
    read: Callable[[slice], Texts],
    n_texts: int,
    size: int = TEXTS_AT_ONCE,
) -> Any:
    """Result of `embed` (an array, or a dict of arrays) for at least one text, one row per text.

    `read` is asked for at most `size` texts at a time, so that the tokens of all of them are never there at once.
    """
    parts = []
    for first in range(0, n_texts, size):
        n_real = min(size, n_texts - first)
        tokens, token_mask = (filled_up(rows, size) for rows in read(slice(first, first + n_real)))
        made = embed(variables, tokens, token_mask)
        parts.append(jax.tree.map(lambda rows, n=n_real: np.asarray(rows)[:n], made))
    return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)


def rows_of(
    tokens: Int32[np.ndarray, "known token"], token_mask: Bool[np.ndarray, "known token"], ids: Int[np.ndarray, "text"]
) -> Callable[[slice], Texts]:
    """`read` of `embed_texts` for these lines of a table."""
    return lambda some: (tokens[ids[some]], token_mask[ids[some]])
