"""Small SVG plots for the report: learning curves, bars with intervals. No script, no outside resource."""

import math
from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import NamedTuple

from cgdmer_jax.report.shown import escape

# Okabe and Ito's colours, told apart by colour-blind readers; the dashes tell them apart in grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "10 4", "4 1")
FONT = 'font-family="Helvetica, Arial, sans-serif"'
GREY, INK = "#cfd4da", "#222222"
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 40
FEWEST_POINTS = 3  # of a curve
CHANCE = 0.5  # AUROC of a score that knows nothing
NAME_LETTERS, LINE = 60, 15  # letters that fit above a bar, left of its figures; pixels between two lines of them


class Bar(NamedTuple):
    """One bar; `low` and `high` are its interval, `note` (n positive) stands right of its name."""

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
    """Lines of (x, y) by name with a legend; points that are not finite are left out.

    Fewer than three points are marks beside another series' line; nothing where no series has a line.
    """
    width, height = 460, 260
    points = {name: _finite(x, y) for name, (x, y) in series.items()}
    every = [p for line in points.values() for p in line]
    if not any(len(line) >= FEWEST_POINTS for line in points.values()):
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
        if not line:
            continue
        style = f'fill="none" stroke="{COLOURS[i % 6]}" stroke-width="1.8" stroke-dasharray="{DASHES[i % 6]}"'
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in line)
        if len(line) < FEWEST_POINTS:
            places = [(x_of(x), y_of(y)) for x, y in line] + [(x_legend + 9, TOP - 8)]
            parts += [_mark(i, x, y, COLOURS[i % 6]) for x, y in places]
        else:
            parts += [f'<path d="M{path}" {style}/>', f'<path d="M{x_legend:.0f} {TOP - 8}h18" {style}/>']
        parts.append(words_at(x_legend + 22, TOP - 4, name))
        x_legend += 34 + 6.2 * len(name)
    return "".join([*parts, "</svg>"])


def category_chart(categories: Sequence[str], series: Mapping[str, Sequence[Point]], *, title: str) -> str:
    """Points with whiskers over named categories, one colour and mark position a series; a legend above."""
    step, height = 74, 250
    legend = [max(110.0, 30 + 6.2 * len(name)) for name in series]
    width = max(LEFT + RIGHT + step * len(categories), LEFT + round(sum(legend)))
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
        x_legend = LEFT + sum(legend[:number])
        parts.append(_mark(number, x_legend + 6, TOP - 8, colour))
        parts.append(words_at(x_legend + 16, TOP - 4, name))
    return "".join([*parts, "</svg>"])


def bar_ticks(bars: Sequence[Bar]) -> list[float]:
    """One axis for all of these, up to 1 and with chance, 0.5, on it."""
    ends = [end for bar in bars for end in (bar.value, bar.low) if end is not None]
    return ticks_around(min([CHANCE, *ends]), 1.0)


def bar_chart(bars: Sequence[Bar], ticks: Sequence[float], *, title: str) -> str:
    """Horizontal bars that start at chance (0.5, a line through all of them), with whiskers; names stand above."""
    width, left, right, top = 530, 8, 522, 46  # names stand a little right of the line that they may cross
    low, high = ticks[0], ticks[-1]
    lines = [wrap(bar.name, NAME_LETTERS) or [""] for bar in bars]
    places = [top + sum(_bar_height(of) for of in lines[:i]) for i in range(len(bars))]
    height = top + sum(map(_bar_height, lines)) + 4

    def x_of(value: float | int) -> float:
        return left + (min(max(value, low), high) - low) / (high - low) * (right - left)

    parts = [_open(width, height, title), words_at(left, 16, title, weight="bold")]
    for tick in ticks:
        anchor = "start" if tick == low else "end" if tick == high else "middle"
        parts.append(f'<path d="M{x_of(tick):.1f} 40V{height - 4}" stroke="{GREY}"/>')
        parts.append(words_at(x_of(tick), 35, f"{tick:g}", anchor=anchor))
    parts.append(
        f'<path class="chance" d="M{x_of(CHANCE):.1f} 40V{height - 4}" stroke="{INK}" stroke-dasharray="3 3"/>'
    )
    for bar, y, of_name in zip(bars, places, lines, strict=True):
        parts += [words_at(left + 6, y + 11 + LINE * i, words, halo=True) for i, words in enumerate(of_name)]
        value = "undefined" if bar.value is None else f"{bar.value:.3f}"
        parts.append(words_at(right - 68, y + 11, value, anchor="end", halo=True))
        parts.append(words_at(right - 6, y + 11, bar.note, anchor="end", halo=True))
        y += LINE * len(of_name)
        if bar.value is not None:
            start, end = sorted((x_of(CHANCE), x_of(bar.value)))
            parts.append(
                f'<rect x="{start:.1f}" y="{y + 1}" width="{end - start:.1f}" height="10" '
                f'fill="{COLOURS[0]}" fill-opacity="0.75"/>'
            )
        if bar.low is not None and bar.high is not None:
            a, b = x_of(bar.low), x_of(bar.high)
            whisker = f"M{a:.1f} {y + 6}H{b:.1f}M{a:.1f} {y + 3}v6M{b:.1f} {y + 3}v6"
            parts.append(f'<path d="{whisker}" stroke="{INK}" fill="none"/>')
    return "".join([*parts, "</svg>"])


def _bar_height(lines_of_name: Sequence[str]) -> int:
    return LINE * len(lines_of_name) + 18


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


def words_at(
    x: float | int, y: float | int, words: str, *, anchor: str = "start", weight: str = "normal", halo: bool = False
) -> str:
    """SVG text at a point, with a white rim where it crosses lines; nothing for an empty string."""
    if not words:
        return ""
    rim = ' stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{INK}"{rim} {FONT}>{escape(words)}</text>'
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
