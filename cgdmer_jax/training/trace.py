"""A profiler trace of a few steps, on request."""

from pathlib import Path

import jax

FIRST, LAST = 10, 15  # of this start; those before compile and fill caches


class Trace:
    """Traces steps FIRST to LAST into a folder that TensorBoard and Perfetto open; with None nothing is traced."""

    def __init__(self, folder: Path | None):
        self.folder = folder
        self._running = False

    def before(self, number: int) -> None:
        """Number of the step of this start, from 1."""
        if self.folder is not None and number == FIRST:
            jax.profiler.start_trace(self.folder)
            self._running = True

    def after(self, number: int, result: object) -> None:
        if self._running and number == LAST:
            jax.block_until_ready(result)  # or the last steps would still be under way
            self.close()

    def close(self) -> None:
        """Writes what was traced; a run that ends earlier has fewer steps in it."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
