"""Cross-host agreement and shutdown: hosts check that they run the same, and tell each other why they stop.

Words go through the key-value store of JAX's coordination service, so that hosts that do not fit together can still say
so: no device takes part. On one host all of this is nothing.
"""

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import jax
from orbax.checkpoint import multihost

from cgdmer_jax.errors import CgdmerError, reason_of

STOPPED = "cgdmer/stopped"
FACT = "cgdmer/fact"
POLL_S = 1.0  # how often a host looks whether another one stopped
FAREWELL_S = 10  # so long a host that stops waits for the others to hear why
PARTING_S = 2  # so long host 0 gives them to end: JAX aborts those that lose its service before
FINDING_S = 3600  # of host 0, which may read through large files meanwhile; its end is heard at once
ERROR = 1  # exit code

Found = TypeVar("Found")


class Place(NamedTuple):
    """This process among the hosts of its run."""

    process: int
    n_processes: int


_place = Place(0, 1)  # known from `take_place` on, before JAX sees a device
_LEAVING = threading.Lock()  # taken once, for good: a second thread at the farewell would cut it short


class HostsDiffer(CgdmerError):
    """All hosts find out alike, so that none of them need be named as the one that failed."""


def take_place(place: Place) -> None:
    """Notes where this process stands; called once, by `hosts.join`."""
    global _place
    _place = place


def is_first() -> bool:
    """Whether this is host 0, which alone writes logs, metrics and metadata."""
    return jax.process_index() == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """The first error on any host ends all of them, each with the same sentence; only host 0 prints."""
    client = _client()
    if client is None:
        yield
        return
    ended = threading.Event()
    threading.Thread(target=_watch, args=(client, ended), daemon=True, name="hosts").start()
    try:
        with contextlib.nullcontext() if _place.process == 0 else _silent():
            yield
        client.wait_at_barrier("cgdmer/done", FINDING_S * 1000)  # until then another host's error is heard
        ended.set()
    except (Exception, KeyboardInterrupt) as error:
        ended.set()
        if not isinstance(error, CgdmerError | OSError | KeyboardInterrupt):
            with _unheard():
                traceback.print_exc()
        leave(_first_reason(client, error), client)


def check_same(facts: Mapping[str, object], timeout_s: float) -> None:
    """Raises the same sentence on every host unless all come with the same facts, within the time."""
    client = _client()
    if client is None:
        return
    client.key_value_set(f"{FACT}/{_place.process}", json.dumps({name: str(value) for name, value in facts.items()}))
    found = [json.loads(_get(client, f"{FACT}/{host}", timeout_s, host)) for host in range(_place.n_processes)]
    differing = [
        f"{name} is {' and '.join(_who_has_what([fact.get(name) for fact in found]))}"
        for name in sorted(set().union(*found))
        if len({fact.get(name) for fact in found}) > 1
    ]
    if differing:
        raise HostsDiffer(
            f"the hosts do not run the same: {'; '.join(differing)}; "
            "start all of them with the same code, command and data"
        )


def of_first(name: str, find: Callable[[], Found]) -> Found:
    """Broadcasts what host 0 finds (any JSON value) to every host. Each name can be used once."""
    client = _client()
    if client is None:
        return find()
    if _place.process == 0:
        client.key_value_set(f"cgdmer/{name}", json.dumps(find()))
    return json.loads(_get(client, f"cgdmer/{name}", FINDING_S, 0))


def leave(reason: str, client=None) -> None:
    """Ends the process at once: its main thread may wait for a host that is no more."""
    _LEAVING.acquire()
    with _unheard():
        print(f"error: {reason}", file=sys.stderr, flush=True)
    if client is not None:  # host 0 has the service, so it stays until all have heard, and then left
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            client.wait_at_barrier("cgdmer/farewell", FAREWELL_S * 1000)
            if _place.process == 0:
                time.sleep(PARTING_S)
    with _unheard():
        sys.stdout.flush()
    os._exit(ERROR)


def _watch(client, ended: threading.Event) -> None:
    """Hears of another host's error while the main thread waits for that host in a collective operation."""
    while not ended.wait(POLL_S):
        try:
            reason = client.key_value_try_get(STOPPED)
        except jax.errors.JaxRuntimeError:  # nobody stopped yet, or the service is gone and JAX ends this process
            continue
        if not ended.is_set():
            leave(reason, client)


def _first_reason(client, error: BaseException) -> str:
    """Writes down why this host stops; when another one did so before, that is the reason."""
    own = str(error) if isinstance(error, HostsDiffer) else f"host {_place.process}: {_sentence(error)}"
    try:
        client.key_value_set(STOPPED, own)
    except jax.errors.JaxRuntimeError:
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # no service either: the own one must do
            return client.key_value_try_get(STOPPED)
    return own


def _sentence(error: BaseException) -> str:
    if isinstance(error, CgdmerError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command continues from what was saved"
    if isinstance(error, jax.errors.JaxRuntimeError):
        return (
            f"an operation on its devices failed ({reason_of(error)}), most often because another host is no more; "
            "see the logs of all, then run the same commands again: the run continues from its last checkpoint"
        )
    return f"{type(error).__name__}: {reason_of(error)}; its log has more"


def _get(client, key: str, timeout_s: float, host: int) -> str:
    try:
        return client.blocking_key_value_get(key, int(timeout_s * 1000))
    except jax.errors.JaxRuntimeError as error:
        raise HostsDiffer(f"host {host} was not ready within {timeout_s:g} s; see its log") from error


def _who_has_what(values: list[object]) -> Iterator[str]:
    """Phrases like "a on hosts 0, 2", one a value."""
    for value in dict.fromkeys(values):
        hosts = [str(host) for host, theirs in enumerate(values) if theirs == value]
        yield f"{value} on {'host' if len(hosts) == 1 else 'hosts'} {', '.join(hosts)}"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        yield


def _unheard() -> contextlib.suppress:
    """For words to a log on a disk that is full: leaving goes on, and the other hosts' logs have the sentence."""
    return contextlib.suppress(OSError)


def _client():
    """The client of JAX's coordination service; JAX has no public name for it, Orbax has. None on one host."""
    return multihost.get_jax_distributed_client() if multihost.is_jax_distributed_client_initialized() else None
