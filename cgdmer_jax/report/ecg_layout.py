"""Heights of the rows of an ECG page and its gain: no trace is ever drawn through a neighbouring row.

Rows whose voltages are high get more room; where the paper is too small for that, the whole page has half of the usual
gain, as on an ECG machine. A lead that fits in neither is taken for an artefact: it is cut at the edge of its row and
changes nothing for the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

GAINS = (10.0, 5.0)  # mm/mV, the usual one first
N_ROWS = 4
LEAST_MM = 15.0  # room over and under each baseline
BOX_MM = 5.0  # baselines and edges fall on the lines of the paper's large boxes
HIGHEST_MM = 140.0  # of the paper: on A4 landscape title, heart rate and remarks stand on the same sheet


class Extent(NamedTuple):
    """Voltages of one strip over and under its baseline, both at least 0."""

    row: int
    up_mv: float
    down_mv: float


@dataclass(frozen=True)
class PaperLayout:
    """Places in mm from the top of the paper."""

    mm_per_mv: float
    edges: tuple[float, ...]  # of the rows: the first is 0, the last the height of the paper
    baselines: tuple[float, ...]

    @property
    def height(self) -> float:
        return self.edges[-1]

    @property
    def notes(self) -> tuple[str, ...]:
        """Differences from a usual page, for its head."""
        if self.mm_per_mv != GAINS[0]:
            return (f"drawn at {self.mm_per_mv:g} mm/mV, half of the usual gain, so that the rows do not overlap",)
        wide = self.height > 2 * LEAST_MM * N_ROWS
        return ("rows further apart than usual, so that they do not overlap",) if wide else ()


def layout_of(extents: Sequence[Extent], foot_mm: float = 0.0) -> PaperLayout:
    """The usual gain before half of it, and as few strips cut as can be, the highest first.

    `foot_mm`: room at the bottom of each row that its traces leave free.
    """
    falling = sorted(extents, key=lambda one: -max(one.up_mv, one.down_mv))
    for n_cut in range(len(falling)):
        for gain in GAINS:
            layout = _layout(falling[n_cut:], gain, foot_mm)
            if layout.height <= HIGHEST_MM:
                return layout
    return _layout((), GAINS[0], foot_mm)


def _layout(extents: Sequence[Extent], gain: float, foot_mm: float) -> PaperLayout:
    edges, baselines = [0.0], []
    for row in range(N_ROWS):
        own = [one for one in extents if one.row == row]
        above = max([LEAST_MM, *(_boxes(one.up_mv * gain) for one in own)])
        below = max([LEAST_MM, *(_boxes(one.down_mv * gain + foot_mm) for one in own)])
        baselines.append(edges[-1] + above)
        edges.append(baselines[-1] + below)
    return PaperLayout(gain, tuple(edges), tuple(baselines))


def _boxes(height_mm: float) -> float:
    return BOX_MM * math.ceil(height_mm / BOX_MM - 1e-9)
