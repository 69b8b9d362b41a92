"""A target whose tries come to everything that a try can come to: what watches it is tested with it."""

import os
import signal
import tempfile
import time
import warnings
from pathlib import Path
from random import Random

from cgdmer_jax.errors import CgdmerError
from tests.fuzz.target import Values

ALLOCATED = 1 << 32  # bytes


class ToyTarget:
    def __init__(self):
        self.kind = ""

    def prepare(self, scratch: Path) -> None:
        assert scratch.is_dir()

    def spoil(self, draw: Random) -> str:
        self.kind = draw.choice(sorted(KINDS))
        return self.kind

    def read(self) -> Values:
        return KINDS[self.kind]()

    def expected(self) -> Values:
        return {"a": 1, "b": 2}


def _refused() -> Values:
    raise CgdmerError("a is odd; correct it")


def _without_words() -> Values:
    raise CgdmerError(" ")


def _warned() -> Values:
    warnings.warn("a was edited", stacklevel=1)
    return {"a": 1, "b": 2}


def _programming_mistake() -> Values:
    raise TypeError(f"no such field in {tempfile.gettempdir()}/anything/folder/a.json")


def _overflow() -> Values:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    return {"a": 1, "b": 2}


def _hang() -> Values:
    time.sleep(1000)
    return {}


def _deaf() -> Values:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    return _hang()


def _dead() -> Values:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _large() -> Values:
    return {"a": len(bytearray(ALLOCATED))}


KINDS = {
    "refused": _refused,
    "without words": _without_words,
    "warned": _warned,
    "overflow": _overflow,
    "whole": lambda: {"a": 1, "b": 2},
    "changed": lambda: {"a": 1, "b": 3},
    "programming mistake": _programming_mistake,
    "hang": _hang,
    "deaf": _deaf,
    "dead": _dead,
    "large": _large,
}


def make_target() -> ToyTarget:
    return ToyTarget()
