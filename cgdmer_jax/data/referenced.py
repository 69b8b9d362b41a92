"""A table by text that names lines of another one, which would be too large were they written out."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32, Shaped


class Referenced(NamedTuple):
    """A table by text whose lines are taken from another one: line t holds `lines[index[t]]`, gathered when read."""

    lines: Shaped[np.ndarray, "line value"]
    index: Int32[np.ndarray, "text reference"]

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.index.shape, self.lines.shape[1])

    @property
    def dtype(self) -> np.dtype:
        return self.lines.dtype

    def __getitem__(self, texts: Int[np.ndarray, "n"]) -> Shaped[np.ndarray, "n reference value"]:
        return self.lines[self.index[texts]]
