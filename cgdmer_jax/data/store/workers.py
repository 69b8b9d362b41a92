"""Processes in which a conversion reads: each is given once what all its tasks share, and ends with its parent.

A pool's processes would otherwise outlive a parent that was killed, and write beside the conversion that continues.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from cgdmer_jax.errors import CgdmerError


def results(work: Callable[..., Any], shared: Any, tasks: Sequence[tuple], processes: int, out: Path) -> Iterator[Any]:
    """`work(shared, *task)` of each task, whichever ends first: in this process (one) or in spawned ones.

    `out`: the store that is made, which an error names.
    """
    if processes == 1:
        for task in tasks:
            yield work(shared, *task)
        return
    context = multiprocessing.get_context("spawn")  # fork and TensorStore's threads do not go together
    n_workers = min(processes, max(1, len(tasks)))
    with ProcessPoolExecutor(n_workers, context, initializer=_start, initargs=(shared,)) as pool:
        futures = [pool.submit(_with_shared, work, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise CgdmerError(
                f"a worker of the conversion to {out} was killed, perhaps for lack of memory; "
                "run the same command again with fewer --processes: it continues"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


_shared: Any = None  # set once in each worker process


def _start(shared: Any) -> None:
    """Keeps what the tasks share, and ends the process at once on Ctrl-C or with its parent."""
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # without a traceback; a kill is harmless
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _with_shared(work: Callable[..., Any], task: tuple) -> Any:
    return work(_shared, *task)
