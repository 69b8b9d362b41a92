"""Small SVG plots for the report: learning curves, bars with intervals. No script, no outside resource."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cgdmer_jax.report.shown import escape

# Okabe and Ito's colours, told apart by colour-blind readers; the dashes tell them apart in grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "10 4", "4 1")
FONT = 'font-family="Helvetica, Arial, sans-serif"'
GREY, INK = "#cfd4da", "#222222"
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 40


class Bar(NamedTuple):
    """One bar; `low` and `high` are its interval, `note` (n positive) stands right of it."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    note: str


class Point(NamedTuple):
    """One value of a category with its interval; None = undefined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


def line_chart(
    series: Mapping[str, tuple[Sequence[float | int], Sequence[float | int]]], *, title: str, x_label: str
) -> str:
    """Lines of (x, y) by name with a legend; points that are not finite are left out."""
    width, height = 460, 260
    points = {name: _finite(x, y) for name, (x, y) in series.items()}
    every = [p for line in points.values() for p in line]
    if not every:
        return ""
    x_ticks, y_ticks = (ticks_around(min(v), max(v)) for v in zip(*every, strict=True))
    right, bottom = width - RIGHT, height - BOTTOM

    def x_of(value: float | int) -> float:
        return LEFT + (value - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (right - LEFT)

    def y_of(value: float | int) -> float:
        return bottom - (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (bottom - TOP)

    parts = [_open(width, height, title), words_at(LEFT, 16, title, weight="bold")]
    parts += _y_axis(y_ticks, y_of, right)
    for tick in x_ticks:
        parts.append(words_at(x_of(tick), bottom + 16, f"{tick:g}", anchor="middle"))
    parts.append(words_at((LEFT + right) / 2, height - 6, x_label, anchor="middle"))
    x_legend = LEFT + 6.0
    for i, (name, line) in enumerate(points.items()):
        style = f'fill="none" stroke="{COLOURS[i % 6]}" stroke-width="1.8" stroke-dasharray="{DASHES[i % 6]}"'
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in line)
        if len(line) == 1:  # no line to see
            parts.append(_mark(i, x_of(line[0][0]), y_of(line[0][1]), COLOURS[i % 6]))
        elif line:
            parts.append(f'<path d="M{path}" {style}/>')
        parts.append(f'<path d="M{x_legend:.0f} {TOP - 8}h18" {style}/>')
        parts.append(words_at(x_legend + 22, TOP - 4, name))
        x_legend += 34 + 6.2 * len(name)
    return "".join([*parts, "</svg>"])


def category_chart(categories: Sequence[str], series: Mapping[str, Sequence[Point]], *, title: str) -> str:
    """Points with whiskers over named categories, one colour and mark position a series; a legend above."""
    step, height = 74, 250
    width = LEFT + RIGHT + step * len(categories)
    ends = [end for line in series.values() for point in line for end in point if end is not None]
    if not ends:
        return ""
    ticks = ticks_around(min(ends), max(ends))
    bottom = height - BOTTOM

    def y_of(value: float | int) -> float:
        return bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (bottom - TOP)

    parts = [_open(width, height, title), words_at(LEFT, 16, title, weight="bold")]
    parts += _y_axis(ticks, y_of, width - RIGHT)
    for i, category in enumerate(categories):
        parts.append(words_at(LEFT + step * (i + 0.5), bottom + 16, category, anchor="middle"))
    for number, (name, line) in enumerate(series.items()):
        colour, shift = COLOURS[number % 6], 10 * (number - (len(series) - 1) / 2)
        for i, point in enumerate(line):
            if point.value is None:
                continue
            x = LEFT + step * (i + 0.5) + shift
            if point.low is not None and point.high is not None:
                whisker = f"M{x:.1f} {y_of(point.low):.1f}V{y_of(point.high):.1f}"
                parts.append(f'<path d="{whisker}" stroke="{colour}" stroke-width="1.5"/>')
            parts.append(_mark(number, x, y_of(point.value), colour))
        parts.append(_mark(number, LEFT + 110 * number + 6, TOP - 8, colour))
        parts.append(words_at(LEFT + 110 * number + 16, TOP - 4, name))
    return "".join([*parts, "</svg>"])


def bar_chart(bars: Sequence[Bar], *, title: str) -> str:
    """Horizontal bars from 0.5 (chance; lower where an interval ends lower) to 1, with whiskers."""
    label, note, step, width = 110, 110, 19, 530
    ends = [end for bar in bars for end in (bar.value, bar.low) if end is not None]
    ticks = ticks_around(min([0.5, *ends]), 1.0)
    low, high = ticks[0], ticks[-1]
    left, right = label, width - note
    height = 46 + step * len(bars)

    def x_of(value: float | int) -> float:
        return left + (min(max(value, low), high) - low) / (high - low) * (right - left)

    parts = [_open(width, height, title), words_at(4, 16, title, weight="bold")]
    for tick in ticks:
        parts.append(f'<path d="M{x_of(tick):.1f} 40V{height - 4}" stroke="{GREY}"/>')
        parts.append(words_at(x_of(tick), 35, f"{tick:g}", anchor="middle"))
    for i, bar in enumerate(bars):
        y = 44 + step * i
        parts.append(words_at(label - 6, y + 11, bar.name, anchor="end"))
        if bar.value is None:
            parts.append(words_at(left + 6, y + 11, "undefined"))
        else:
            parts.append(
                f'<rect x="{left}" y="{y + 2}" width="{x_of(bar.value) - left:.1f}" height="12" '
                f'fill="{COLOURS[0]}" fill-opacity="0.75"/>'
            )
        if bar.low is not None and bar.high is not None:
            a, b = x_of(bar.low), x_of(bar.high)
            whisker = f"M{a:.1f} {y + 8}H{b:.1f}M{a:.1f} {y + 5}v6M{b:.1f} {y + 5}v6"
            parts.append(f'<path d="{whisker}" stroke="{INK}" fill="none"/>')
        value = "" if bar.value is None else f"{bar.value:.3f}"
        parts.append(words_at(right + 10, y + 11, value) + words_at(right + 50, y + 11, bar.note))
    return "".join([*parts, "</svg>"])


def _mark(number: int, x: float | int, y: float | int, colour: str) -> str:
    """A disc or a square, so that two series are told apart in grey too."""
    if number % 2 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'


def _y_axis(ticks: Sequence[float | int], y_of: Callable[[float | int], float], right: float | int) -> list[str]:
    """A grey line and a number for each tick."""
    parts = []
    for tick in ticks:
        parts.append(f'<path d="M{LEFT} {y_of(tick):.1f}H{right}" stroke="{GREY}"/>')
        parts.append(words_at(LEFT - 6, y_of(tick) + 4, f"{tick:g}", anchor="end"))
    return parts


def _open(width: int, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
    )


def words_at(x: float | int, y: float | int, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    """SVG text at a point; nothing for an empty string."""
    if not words:
        return ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{INK}" {FONT}>{escape(words)}</text>'
    )


def _finite(x: Sequence[float | int], y: Sequence[float | int]) -> list[tuple[float | int, float | int]]:
    return [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]


def ticks_around(low: float | int, high: float | int) -> list[float]:
    """Four to eight round numbers that enclose low and high."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if span / (s * power) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]
