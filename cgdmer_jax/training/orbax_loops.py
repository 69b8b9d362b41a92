"""Orbax's event loops and threads after an operation that failed: they end before anyone goes on, and in silence.

Orbax stops at the first of many reads or writes that fails and closes its loop. TensorStore then reports the others to
a loop that is closed, which prints a traceback for each, after the one sentence that says it all.
"""

import asyncio
import logging

SETTLE_S = 60  # what has not ended by then is left behind, as by any other loop


class SettlingLoop(asyncio.SelectorEventLoop):
    """Closes once everything begun in it has ended."""

    def close(self) -> None:
        if not self.is_closed():
            self.run_until_complete(_settle())
        super().close()


class SettlingLoops(asyncio.DefaultEventLoopPolicy):
    """Makes them wherever this process asks for a new loop: Orbax offers no other way in."""

    def new_event_loop(self) -> SettlingLoop:
        return SettlingLoop()


class _RaisedAnyway(logging.Filter):
    """Drops what Orbax's threads log, each with its traceback, of an error that `result` then raises."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "_SignalingThread.run() raised" not in record.getMessage()


RAISED_ANYWAY = _RaisedAnyway()  # one object, which a logger takes once


def settle_after_failures() -> None:
    """For the rest of the process; a second call changes nothing."""
    logging.getLogger("absl").addFilter(RAISED_ANYWAY)
    if not isinstance(asyncio.get_event_loop_policy(), SettlingLoops):
        asyncio.set_event_loop_policy(SettlingLoops())


async def _settle() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=SETTLE_S)
    await asyncio.sleep(0)  # whoever gathered them takes note of their errors
