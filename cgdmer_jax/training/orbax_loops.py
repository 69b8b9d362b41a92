"""Orbax's event loops and threads after an operation that failed: they end before anyone goes on, and in silence.

Orbax stops at the first of many reads or writes that fails and closes its loop. TensorStore then reports the others to
a loop that is closed, which prints a traceback for each, after the one sentence that says it all.
"""

import asyncio
import logging
import traceback

SETTLE_S = 60  # what has not ended by then is left behind, as by any other loop


class SettlingLoop(asyncio.SelectorEventLoop):
    """Closes once everything begun in it has ended."""

    def close(self) -> None:
        try:
            if not self.is_closed():
                self.run_until_complete(_settle())
        finally:
            super().close()


class _RaisedAnyway(logging.Filter):
    """Drops what Orbax's threads log, each with its traceback, of an error that `result` then raises."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "_SignalingThread.run() raised" not in record.getMessage()


RAISED_ANYWAY = _RaisedAnyway()  # one object, which a logger takes once
_others_loop = asyncio.new_event_loop


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """A settling loop for Orbax; for every other caller what there was before."""
    asking = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_stack(None))
    return SettlingLoop() if any(name.startswith("orbax.") for name in asking) else _others_loop()


def settle_after_failures() -> None:
    """For the rest of the process; a second call changes nothing.

    Orbax takes no loop: it calls `asyncio.new_event_loop`, which is replaced. An event loop policy would be asked for
    every loop of the process, those of a notebook or a web server too, and Python 3.14 deprecates it.
    """
    logging.getLogger("absl").addFilter(RAISED_ANYWAY)
    asyncio.new_event_loop = _new_event_loop


async def _settle() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=SETTLE_S)
    await asyncio.sleep(0)  # whoever gathered them takes note of their errors
