"""The progress bar of everything that takes minutes: once a second on a screen, twice a minute in a log file."""

import contextlib
import sys

import tqdm

from cgdmer_jax.errors import visible


class _Lossy:
    """stderr, of which a full disk under it takes what is drawn and not the run."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str):  # what tqdm asks of a screen
        return getattr(sys.stderr, name)


def progress_bar(total: int, unit: str, label: str, done: int = 0, shown: bool = True) -> tqdm.tqdm:
    """Counts from `done` to `total`, on stderr; `label` says what is being done."""
    often = 1.0 if sys.stderr.isatty() else 30.0  # seconds
    return tqdm.tqdm(
        total=total,
        initial=done,
        unit=unit,
        desc=label,
        disable=not shown,
        mininterval=often,
        file=_Lossy(),
        dynamic_ncols=True,  # tqdm asks no wrapper of stderr for its width unless told
    )


def tell(bar: tqdm.tqdm, sentence: str) -> None:
    """Prints a sentence on stdout above a bar on the same screen, with control characters spelled out."""
    if sys.stderr.isatty():
        bar.clear()
    print(visible(sentence))
