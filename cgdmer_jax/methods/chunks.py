"""A batch computed part by part: the same values with less memory."""

from collections.abc import Callable
from typing import Any

import jax

from cgdmer_jax.errors import CgdmerError


def in_chunks(function: Callable[[Any], Any], records: Any, n: int) -> Any:
    """`function` of all records, computed for one n-th of them after another.

    The backward pass computes each part again and keeps only what `function` gives, so activations need one n-th of
    the memory for a third more work. Exact: `function` must treat each record by itself. A part takes every n-th
    record, so that on several devices each has its share of every part.
    """
    if n == 1:
        return function(records)
    batch = len(jax.tree.leaves(records)[0])
    if batch % n:
        raise CgdmerError(
            f"config.method.microbatches is {n}, which does not divide a batch of {batch}; choose one that does"
        )
    split = jax.tree.map(lambda x: x.reshape(batch // n, n, *x.shape[1:]).swapaxes(0, 1), records)
    made = jax.lax.map(jax.checkpoint(function), split)
    return jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(batch, *x.shape[2:]), made)
