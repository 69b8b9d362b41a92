"""Differences to a reference as points with intervals around 0, a panel a task."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cgdmer_jax.report.plots import COLOURS, GREY, INK, ticks_around, words_at
from cgdmer_jax.report.shown import escape

NAMES, PANEL, SPACE, STEP, TOP = 190, 170, 48, 22, 62  # pixels
STROKE = f'stroke="{COLOURS[0]}"'


class Difference(NamedTuple):
    """One row of a panel; hollow where the interval does not hold the spread between seeds, a cross without one."""

    name: str
    value: float | int
    low: float | int | None
    high: float | int | None
    hollow: bool


def difference_chart(panels: Mapping[str, Sequence[Difference]], *, title: str, note: str) -> str:
    """An SVG; all panels have the same rows, in the order in which they come first, and one scale."""
    points = [point for panel in panels.values() for point in panel]
    ends = [0.0, *(end for p in points for end in (p.value, p.low, p.high) if end is not None)]
    ticks = ticks_around(min(ends), max(ends))
    names = list(dict.fromkeys(point.name for point in points))
    width, height = NAMES + len(panels) * (PANEL + SPACE), TOP + STEP * len(names) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        words_at(6, 18, title, weight="bold"),
        words_at(6, height - 8, note),
    ]
    parts += [words_at(NAMES - 10, TOP + STEP * (i + 0.5) + 4, name, anchor="end") for i, name in enumerate(names)]
    for number, (task, panel) in enumerate(panels.items()):
        parts.append(_panel(NAMES + number * (PANEL + SPACE), task, panel, names, ticks))
    return "".join([*parts, "</svg>\n"])


def _panel(left: int, task: str, panel: Sequence[Difference], names: list[str], ticks: list[float]) -> str:
    def x_of(value: float | int) -> float:
        return left + (value - ticks[0]) / (ticks[-1] - ticks[0]) * PANEL

    bottom = TOP + STEP * len(names)
    parts = [words_at(left + PANEL / 2, TOP - 10, task, anchor="middle", weight="bold")]
    for i, tick in enumerate(ticks):
        stroke = INK if tick == 0 else GREY
        parts.append(f'<path d="M{x_of(tick):.1f} {TOP}V{bottom}" stroke="{stroke}"/>')
        if tick == 0 or i in (0, len(ticks) - 1):
            parts.append(words_at(x_of(tick), bottom + 15, f"{tick:+g}" if tick else "0", anchor="middle"))
    for point in panel:
        y = TOP + STEP * (names.index(point.name) + 0.5)
        if point.low is not None and point.high is not None:
            parts.append(f'<path d="M{x_of(point.low):.1f} {y}H{x_of(point.high):.1f}" {STROKE}/>')
        parts.append(_mark(x_of(point.value), y, hollow=point.hollow, bare=point.low is None or point.high is None))
    return "".join(parts)


def _mark(x: float, y: float, *, hollow: bool, bare: bool) -> str:
    """A lone dot would read as an interval too narrow to be seen."""
    if bare:
        return f'<path d="M{x - 4:.1f} {y - 4}L{x + 4:.1f} {y + 4}M{x - 4:.1f} {y + 4}L{x + 4:.1f} {y - 4}" {STROKE}/>'
    fill = "#ffffff" if hollow else COLOURS[0]
    return f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{fill}" {STROKE}/>'
