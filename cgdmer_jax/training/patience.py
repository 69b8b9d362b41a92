"""The end of a training whose validation loss falls no more."""

from collections.abc import Iterable


class Patience:
    """Told the loss of each validation in order; `most` of them in a row without a lower one are enough (0: never).

    Of a run that goes on, those of before come from metrics.jsonl, so that it ends where it would have ended.
    """

    def __init__(self, most: int, before: Iterable[float] = ()):
        self.most = most
        self._best, self._since = float("inf"), 0
        for loss in before:
            self.note(loss)

    def note(self, loss: float) -> None:
        if loss < self._best:
            self._best, self._since = loss, 0
        else:
            self._since += 1

    def is_over(self) -> bool:
        return 0 < self.most <= self._since
