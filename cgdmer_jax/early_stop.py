"""SIGTERM and Ctrl-C while a command has nothing to save: it ends at once, with one true sentence and exit code 75.

Importing JAX takes seconds in which a scheduler may change its mind, so this imports nothing of it. The training loop
listens itself from its first step on (cgdmer_jax/training/stop.py).
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PREEMPTED = 75  # exit code of whatever was stopped and continues when it is started again
RESUMING = (
    "pretrain",
    "adapt_text",
    "finetune",
    "quickstart",
    "ablate",
    "compare",
    "convert",
)  # continue when they are run again
BEFORE = "stopped before the first step of this start; the same command starts it again"
AFTER = "stopped after training; the same command continues from the last checkpoint"


@dataclass(frozen=True)
class StopAtOnce:
    """A handler of signals."""

    sentence: str

    def __call__(self, number: int, frame: FrameType | None) -> None:
        os.write(2, f"{self.sentence}\n".encode())  # not print: the signal may come within a write to sys.stderr
        raise SystemExit(PREEMPTED)


def listen_in(words: Sequence[str]) -> None:
    """Listens where `experiments.NAME` among these words resumes; called before the command's module is imported."""
    if any(f"experiments.{name}" in words for name in RESUMING):
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job
                signal.signal(number, StopAtOnce(BEFORE))


def from_now_on(sentence: str) -> None:
    """Changes the sentence printed on a stop from here on; does nothing where no command listens (notebook, test)."""
    _replace(StopAtOnce(sentence))


def as_ctrl_c() -> None:
    """Both signals raise KeyboardInterrupt from here on, for a command that has an answer to it."""
    _replace(signal.default_int_handler)


def _replace(handler) -> None:
    for number in SIGNALS:
        if isinstance(signal.getsignal(number), StopAtOnce):
            signal.signal(number, handler)
