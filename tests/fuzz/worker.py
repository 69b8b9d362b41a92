"""Tries in a process of their own with bounded memory: who watches it goes on after a crash or a hang."""

import importlib
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.target import FAULT, Target, Try, outcome, quiet, spoil_for

SECONDS_A_TRY = 60.0  # the slowest right one takes 3, on an idle machine
GRACE_S = 20.0  # more, until code that hears no alarm is killed
PREPARING_S = 600.0
TRIES_BETWEEN_PEAKS = 50


class Job(NamedTuple):
    """Tries from `first` on, `n` of them at most."""

    name: str
    seed: int
    memory_gib: float
    first: int = 0
    n: int = 1 << 40
    seconds_a_try: float = SECONDS_A_TRY
    grace_s: float = GRACE_S


class Peak(NamedTuple):
    """Most memory that a worker has held, in GiB."""

    gib: float


def target_of(name: str) -> Target:
    """The target of the file of that name."""
    return importlib.import_module(f"tests.fuzz.{name}").make_target()


def tries(job: Job, target: Target) -> Iterator[Try]:
    """Tries of a prepared target, one after the other."""
    for number in range(job.first, job.first + job.n):
        mutation = spoil_for(target, job.name, job.seed, number)
        begun = time.monotonic()
        found = outcome(target, job.seconds_a_try)
        yield Try(number, mutation, *found, round(time.monotonic() - begun, 3))


def _work(job: Job, line: Connection) -> None:
    """Tells the number and mutation of each try before it, and its outcome after it."""
    limit = int(job.memory_gib * 2**30)
    # What it may write to: the address space that JAX and torch reserve for their code is as large again.
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        # What every load of a model compiles anew is the same code; read when JAX is imported.
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": f"{scratch}/compiled", "JAX_PLATFORMS": "cpu"}
        os.environ |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "HF_HUB_OFFLINE": "1"}
        import jax

        target = target_of(job.name)
        with quiet():
            target.prepare(Path(scratch))
        line.send(None)
        for number in range(job.first, job.first + job.n):
            mutation = spoil_for(target, job.name, job.seed, number)
            line.send((number, mutation))
            begun = time.monotonic()
            found = outcome(target, job.seconds_a_try)
            line.send(Try(number, mutation, *found, round(time.monotonic() - begun, 3)))
            if number % TRIES_BETWEEN_PEAKS == 0:
                line.send(Peak(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))
                jax.clear_caches()  # what every load traces anew stays there: thousands of loads come to gigabytes


def watched(job: Job, seconds: float) -> Iterator[Try | Peak]:
    """Tries for so long, in worker after worker: a crash or a deaf hang is a fault of its try, and the next goes on.

    The time counts from the first try on.
    """
    end = float("inf")
    last = job.first + job.n
    while job.first < last and time.monotonic() < end:
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        worker = multiprocessing.get_context("spawn").Process(target=_work, args=(job, theirs), daemon=True)
        worker.start()
        theirs.close()
        begun = None  # (number, mutation) of the try under way
        patience = PREPARING_S
        try:
            while time.monotonic() < end or begun:
                if not ours.poll(patience):
                    worker.kill()
                    if begun is None:
                        raise SystemExit(f"{job.name} was not prepared after {patience:g} s")
                    yield Try(*begun, FAULT, f"deaf for {patience:g} s", (), patience)
                    break
                said = ours.recv()
                if isinstance(said, Try):
                    yield said
                    begun, job = None, job._replace(first=said.number + 1, n=last - said.number - 1)
                    if job.first == last:
                        break
                elif isinstance(said, Peak):
                    yield said
                else:
                    begun, patience = said, job.seconds_a_try + job.grace_s
                    end = min(end, time.monotonic() + seconds)
        except EOFError:
            worker.join()
            if begun is None:
                raise SystemExit(f"{job.name}: the worker ended with {worker.exitcode} between two tries") from None
            yield Try(*begun, FAULT, f"the process died ({worker.exitcode})", (), 0.0)
        finally:
            worker.kill()
            worker.join()
            ours.close()
        if begun:
            job = job._replace(first=begun[0] + 1, n=last - begun[0] - 1)
