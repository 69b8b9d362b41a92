"""A few leads of a recording, one above the other, half as large as usual: to be compared at a glance, not measured.

A few kilobytes each: places are whole steps of 0.05 mm, and of every 20 ms of a fast recording the extremes are kept.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from cgdmer_jax.report.shown import escape

MM_PER_S, MM_PER_MV = 12.5, 5.0
LONGEST_S = 10.0
STEPS_PER_MM = 20
POINTS_PER_S = 100
LEFT_MM, MARGIN_MM = 9.0, 1.0
LEAST_MM, MOST_MM = 4.0, 15.0  # room of a lead above its baseline, and below it
INK, LINE, FONT = "#111111", "#e5a29d", 'font-family="Helvetica, Arial, sans-serif"'


def small_ecg_svg(signal_mv: Float[np.ndarray, "lead time"], rate: float | int, leads: Sequence[str], name: str) -> str:
    """The first 10 s; each lead's median is its baseline, and what leaves its row (3 mV) is cut there."""
    n_samples = min(signal_mv.shape[1], round(LONGEST_S * rate))
    told = f"{name}: {', '.join(leads)}, {n_samples / rate:g} s"
    width, top, rows = _steps(LEFT_MM + LONGEST_S * MM_PER_S + MARGIN_MM), _steps(MARGIN_MM), []
    for lead, of_lead in zip(leads, signal_mv[:, :n_samples], strict=True):
        height, drawn = _row(of_lead, rate, lead)
        rows.append(f'<svg x="0" y="{top}" width="{width}" height="{height}">{drawn}</svg>')
        top += height
    height = top + _steps(MARGIN_MM)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width / STEPS_PER_MM:g}mm" '
        f'height="{height / STEPS_PER_MM:g}mm" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told)}">'
        f"<title>{escape(told)}</title>{''.join(rows)}</svg>"
    )


def _row(of_lead, rate, lead: str) -> tuple[int, str]:
    """(height in steps, what is drawn in a svg of that height, which cuts what leaves it)."""
    at, values = _thinned(of_lead, rate)
    values = values - np.median(values) if len(at) else values
    above, below = (_room(extreme) for extreme in (values.max(initial=0), -values.min(initial=0)))
    line = f'<path d="M{_steps(LEFT_MM)} {above}h{_steps(LONGEST_S * MM_PER_S)}" stroke="{LINE}" stroke-width="2"/>'
    words = f'<text x="10" y="{above + 24}" font-size="64" fill="{INK}" {FONT}>{escape(lead)}</text>'
    if not len(at):
        return above + below, line + words
    x = np.round((LEFT_MM + at / rate * MM_PER_S) * STEPS_PER_MM).astype(int)
    y = above - np.round(values * MM_PER_MV * STEPS_PER_MM).astype(int)
    moves = " ".join(f"{dx} {dy}" for dx, dy in zip(np.diff(x), np.diff(y), strict=True))
    path = f"M{x[0]} {y[0]}l{moves or '1 0'}"
    trace = f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="4" stroke-linejoin="round"/>'
    return above + below, line + words + trace


def _room(extreme_mv: float) -> int:
    """Steps for a voltage above or below the baseline."""
    return _steps(min(max(extreme_mv * MM_PER_MV + MARGIN_MM, LEAST_MM), MOST_MM))


def _thinned(of_lead, rate):
    """(sample numbers, values) of the finite samples; at high rates the lowest and the highest of every 20 ms."""
    at = np.flatnonzero(np.isfinite(of_lead))
    if rate > POINTS_PER_S:
        bins = (at / rate * POINTS_PER_S / 2).astype(int)
        kept = []
        for members in np.split(at, np.flatnonzero(np.diff(bins)) + 1):
            if len(members):
                values = of_lead[members]
                kept += sorted({int(members[values.argmin()]), int(members[values.argmax()])})
        at = np.array(kept, int)
    return at, of_lead[at]


def _steps(mm: float) -> int:
    return round(mm * STEPS_PER_MM)
