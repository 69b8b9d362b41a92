"""Ctrl-C and SIGTERM ask for a stop at the next step border; a second Ctrl-C stops at once.

On several hosts a SIGTERM to any of them stops all at the same step: JAX's preemption service, which listens for
SIGTERM from `hosts.join` on, carries the notice and agrees on the step.
"""

import os
import signal

import jax
from jax.experimental import multihost_utils

SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOPPING = "\nstopping after this step, then saving; the same command continues (Ctrl-C again: stop at once)\n"


class StopFlag:
    """`is_set` after a signal to this process alone while entered; leaving restores the handlers."""

    def __init__(self):
        self.is_set = False
        self.several_hosts = jax.process_count() > 1

    def __enter__(self) -> "StopFlag":
        signals = SIGNALS[1:] if self.several_hosts else SIGNALS  # SIGTERM is JAX's
        self._before = {number: signal.signal(number, self._set) for number in signals}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def reached(self, n_steps: int) -> bool:
        """Whether to stop behind the n-th step of this start; all hosts ask at each step and get the same answer."""
        return multihost_utils.reached_preemption_sync_point(n_steps) if self.several_hosts else self.is_set

    def _set(self, number: int, _) -> None:
        if not self.is_set:  # not print: the signal may come within a write to sys.stderr
            os.write(2, STOPPING.encode())
        if self.several_hosts:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self.is_set = True
        if number == signal.SIGINT:  # schedulers may repeat SIGTERM, an impatient user repeats Ctrl-C
            signal.signal(number, signal.default_int_handler)
