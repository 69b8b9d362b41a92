"""Time line of an evaluation: what runs now, and what took how long."""

import time
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


class TimeLine:
    """Begins when it is made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}  # by name, in order, on the clock
        self.cpu_seconds: dict[str, float] = {}  # of all cores together
        self._begun = time.monotonic()

    def timed(self, name: str, make: Callable[[], Made]) -> Made:
        """Returns what `make` returns; says that it begins, and notes the seconds it took."""
        print(f"evaluating: {name}, {self.elapsed():.0f} s after the start", flush=True)
        start, cpu_start = time.monotonic(), time.process_time()
        made = make()
        self.seconds[name] = round(time.monotonic() - start, 1)
        self.cpu_seconds[name] = round(time.process_time() - cpu_start, 1)
        return made

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def __str__(self) -> str:
        """One line: each name with its seconds, and all of them."""
        return f"{', '.join(f'{name} {s:.0f} s' for name, s in self.seconds.items())}; {self.elapsed():.0f} s in all"
