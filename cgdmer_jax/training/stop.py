"""Ctrl-C and SIGTERM ask for a stop at the next step border; a second Ctrl-C stops at once."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopFlag:
    """`is_set` after a signal while entered; leaving restores the handlers."""

    def __init__(self):
        self.is_set = False

    def __enter__(self) -> "StopFlag":
        self._before = {number: signal.signal(number, self._set) for number in SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _set(self, number: int, _) -> None:
        self.is_set = True
        if number == signal.SIGINT:  # schedulers may repeat SIGTERM, an impatient user repeats Ctrl-C
            signal.signal(number, self._before[number])
