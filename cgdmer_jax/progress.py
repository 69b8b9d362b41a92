"""The progress bar of everything that takes minutes: once a second on a screen, twice a minute in a log file."""

import sys

import tqdm


def progress_bar(total: int, unit: str, label: str | None = None, done: int = 0, shown: bool = True) -> tqdm.tqdm:
    """Counts from `done` to `total`, on stderr."""
    often = 1.0 if sys.stderr.isatty() else 30.0  # seconds
    return tqdm.tqdm(total=total, initial=done, unit=unit, desc=label, disable=not shown, mininterval=often)
