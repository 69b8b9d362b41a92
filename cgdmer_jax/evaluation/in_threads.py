"""Fits side by side: much of each is NumPy's elementwise work on one core, which BLAS's own threads leave idle."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from cgdmer_jax import provenance

AT_ONCE = 4  # fits, each with copies of its features
Item, Made = TypeVar("Item"), TypeVar("Made")


def in_threads(work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Results of `work` on each item, in order; BLAS shares the cores among those at work."""
    cores = provenance.n_cpus()
    n_threads = min(cores, AT_ONCE)
    with threadpool_limits(cores // n_threads, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(work, items))
