"""A table by text that names lines of another one, which would be too large were they written out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int32, Shaped


@dataclass(frozen=True)
class Referenced:
    """Line t holds `lines[index[t]]`, gathered when it is read; otherwise as an array."""

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
