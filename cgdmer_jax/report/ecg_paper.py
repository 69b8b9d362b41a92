"""ECG paper as SVG in true millimetres: 25 mm/s, 10 mm/mV (or half), 3x4 leads of 2.5 s above 10 s of lead II."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cgdmer_jax.errors import visible
from cgdmer_jax.report.ecg_layout import Extent, PaperLayout, layout_of
from cgdmer_jax.report.ecg_waves import ROOM_MM, SHAPES, marks_svg, sample_svg
from cgdmer_jax.report.shown import escape
from cgdmer_jax.waveform.waves import FoundWave

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
RHYTHM = "II"

MM_PER_S = 25.0
COLUMN_S, PAGE_S = 2.5, 10.0
LABEL_MM = 10.4  # from a baseline up to the foot of its leads' names
TIME_ZERO_MM = 15.0  # room for the calibration pulse, left of it
WIDTH_MM = TIME_ZERO_MM + PAGE_S * MM_PER_S + 5.0
MARGIN_MM, HEAD_MM, FOOT_MM = 5.0, 13.0, 8.0
LETTER_EM = {"normal": 0.5, "bold": 0.56}  # width of a letter in words, rather too wide than too narrow

FINE, COARSE, INK, RECONSTRUCTED, SHADE = "#f6d5d2", "#e5a29d", "#111111", "#0b4fb3", "#5b7fae"
FONT = 'font-family="Helvetica, Arial, sans-serif"'


def ecg_page_svg(
    signal_mv: Float[np.ndarray, "12 time"],
    rate: float | int,
    *,
    title: str,
    subtitle: str = "",
    lead_mask: Bool[np.ndarray, "12"] | None = None,
    overlay_mv: Float[np.ndarray, "12 time"] | None = None,
    hidden: Bool[np.ndarray, "12 patch"] | None = None,
    waves: Mapping[str, Sequence[FoundWave]] | None = None,
) -> str:
    """One page of the first 10 s in canonical lead order; each lead's median (of the signal) is its baseline.

    No trace leaves its row: ecg_layout.py says how. What differs from a usual page stands beside `subtitle`.
    `hidden` patches (equal parts of the whole signal) are shaded; `overlay_mv`, a reconstruction, is drawn in
    blue there, or everywhere without `hidden`. A lead that is False in `lead_mask` is named and left blank. `waves`
    are marked below the traces of their leads.
    """
    present = np.ones(12, bool) if lead_mask is None else lead_mask
    strips = [_Strip(lead, row, column, COLUMN_S) for row, of in enumerate(ROWS) for column, lead in enumerate(of)]
    strips.append(_Strip(RHYTHM, len(ROWS), 0, PAGE_S))
    extents = [_extent(signal_mv, rate, strip) for strip in strips if present[LEADS.index(strip.lead)]]
    layout = layout_of(extents, 0.0 if waves is None else ROOM_MM)
    parts = [_draw(signal_mv, rate, present, overlay_mv, hidden, waves or {}, strip, layout) for strip in strips]
    # Ground first: no shade may cover a neighbouring row's trace.
    drawn = [piece for layer in zip(*parts, strict=True) for piece in layer]
    width, height = WIDTH_MM + 2 * MARGIN_MM, layout.height + HEAD_MM + FOOT_MM
    shown = overlay_mv is not None, hidden is not None, waves is not None
    told = _told(signal_mv.shape[1] / rate, rate, layout, present, *shown)
    # Ids by content: several pages stand in one document.
    name = "ecg-" + hashlib.sha256("".join([title, told, *drawn]).encode(errors="surrogatepass")).hexdigest()[:12]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(told)}</desc>',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        _fitted(5.6, title, size=4.2, weight="bold"),
        _fitted(10.6, " · ".join(words for words in (subtitle, *layout.notes) if words), size=3.2),
        # A nested svg clips to the paper without an id, so that many pages fit in one document.
        f'<svg x="{MARGIN_MM:g}" y="{HEAD_MM:g}" width="{WIDTH_MM:g}" height="{layout.height:g}">',
        _grid(layout.height),
        *drawn,
        "</svg>",
        _footer(height - 2.8, layout.mm_per_mv, *shown),
        "</svg>",
    ]
    return "\n".join(line for line in lines if line)


class _Strip(NamedTuple):
    """One lead from `column * 2.5` s on."""

    lead: str
    row: int
    column: int
    seconds: float

    def samples(self, rate: float | int, n_samples: int) -> Int[np.ndarray, "shown"]:
        """One sample shared: no gap between columns."""
        first = round(self.column * COLUMN_S * rate)
        return np.arange(first, min(first + round(self.seconds * rate), n_samples - 1) + 1)


def _told(
    seconds: float, rate: float | int, layout: PaperLayout, present, overlaid: bool, shaded: bool, marked: bool
) -> str:
    """Description for a reader who cannot see the page."""
    absent = [lead for lead, is_so in zip(LEADS, present, strict=True) if not is_so]
    rows = "; ".join(", ".join(row) for row in ROWS)
    words = [
        f"Electrocardiogram of {seconds:g} s at {rate:g} Hz on paper of 25 mm per second and "
        f"{layout.mm_per_mv:g} mm per millivolt.",
        f"Three rows of four leads, 2.5 s each ({rows}), above 10 s of lead {RHYTHM}.",
        "Left of each row a calibration pulse of 1 mV and 0.2 s.",
        f"Not recorded: {', '.join(absent)}." if absent else "",
        "Shaded: hidden from the model." if shaded else "",
        "In blue: as reconstructed by the model." if overlaid else "",
        f"Marked below the traces, as found by a model: {_listed_shapes()}." if marked else "",
    ]
    return " ".join(word for word in words if word)


def _listed_shapes() -> str:
    return ", ".join(f"{kind} by {shape}" for kind, shape in SHAPES.items())


def _zero_mv(of_lead: Float[np.ndarray, "time"]) -> float:
    return float(np.nanmedian(of_lead)) if np.isfinite(of_lead).any() else 0.0


def _extent(signal_mv, rate, strip) -> Extent:
    of_lead = signal_mv[LEADS.index(strip.lead)]
    shown = of_lead[strip.samples(rate, len(of_lead))] - _zero_mv(of_lead)
    shown = shown[np.isfinite(shown)]
    return Extent(strip.row, float(max(shown.max(initial=0), 0)), float(max(-shown.min(initial=0), 0)))


def _draw(signal_mv, rate, present, overlay_mv, hidden, waves, strip, layout):
    """(shade, calibration and tick, marks of waves, trace, overlay, label)."""
    index = LEADS.index(strip.lead)
    x = TIME_ZERO_MM + strip.column * COLUMN_S * MM_PER_S
    y, gain = layout.baselines[strip.row], layout.mm_per_mv
    tick = f'<path d="M{x:g} {y - 3:g}v6" stroke="{INK}" stroke-width="0.35"/>'
    mark = tick if strip.column else _calibration(y, gain)
    label = _text(x + 1, y - LABEL_MM, strip.lead, size=3.6, weight="bold")
    if not present[index]:
        return "", mark, "", "", "", label + _text(x + 8, y + 1, "not recorded", size=3.2)
    samples = strip.samples(rate, signal_mv.shape[1])
    if not len(samples):
        return "", mark, "", "", "", label
    zero_mv = _zero_mv(signal_mv[index])
    x_mm = TIME_ZERO_MM + samples / rate * MM_PER_S
    foot = layout.edges[strip.row + 1]
    edges = (
        layout.edges[strip.row],
        foot - (ROOM_MM if waves else 0.0),
    )  # a trace that is cut leaves the marks free
    y_mm = y - (signal_mv[index, samples] - zero_mv) * gain
    trace = _path(x_mm, y_mm, edges, INK, 0.28)
    if _leaves(y_mm, edges):
        label += _text(x + 10, y - LABEL_MM, "cut at the edge of its row", size=2.8)
    from_s = strip.column * COLUMN_S
    marks = marks_svg(waves.get(strip.lead, ()), from_s, from_s + strip.seconds, x, MM_PER_S, foot)
    shade, overlay = "", ""
    covered = np.ones(len(samples), bool)
    if hidden is not None:
        n_samples = signal_mv.shape[1]
        patch = n_samples / hidden.shape[1]
        covered = hidden[index, np.minimum(samples // patch, hidden.shape[1] - 1).astype(int)]
        shade = _shade(hidden[index], patch / rate, from_s, from_s + strip.seconds, y)
    if overlay_mv is not None:
        values = np.where(covered, overlay_mv[index, samples] - zero_mv, np.nan)
        overlay = _path(x_mm, y - values * gain, edges, RECONSTRUCTED, 0.32)
        if _leaves(y - values * gain, edges):
            label += _text(x + 10, y - LABEL_MM + 3.2, "prediction cut at the edge", size=2.8)
    return shade, mark, marks, trace, overlay, label


def _leaves(y_mm, edges) -> bool:
    """Whether any of it lies outside of the row; NaN does not."""
    return bool((y_mm < edges[0] - 1e-6).any() or (y_mm > edges[1] + 1e-6).any())


def _path(x_mm, y_mm, edges, colour: str, width_mm: float) -> str:
    """A polyline that breaks where `y_mm` is not finite, and ends at the edges of its row."""
    finite = np.isfinite(y_mm)
    starts = finite & ~np.concatenate([[False], finite[:-1]])
    steps = [
        f"{'M' if start else 'L'}{x:.2f} {y:.2f}"
        for x, y, keep, start in zip(x_mm, y_mm, finite, starts, strict=True)
        if keep
    ]
    if not steps:
        return ""
    drawn = (
        f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="{width_mm}" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )
    if not _leaves(y_mm, edges):
        return drawn
    top, height = edges[0], edges[1] - edges[0]
    # Coordinates of the paper go on inside.
    place = f'x="0" y="{top:g}" width="{WIDTH_MM:g}" height="{height:g}" viewBox="0 {top:g} {WIDTH_MM:g} {height:g}"'
    return f"<svg {place}>{drawn}</svg>"


def _shade(hidden, patch_s: float, from_s: float, to_s: float, y: float) -> str:
    """One rectangle a run of neighbouring hidden patches, cut to the strip."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], hidden, [False]]).astype(int)))
    pieces = []
    for start, stop in edges.reshape(-1, 2):
        left, right = max(start * patch_s, from_s), min(stop * patch_s, to_s)
        if right > left:
            x, width = TIME_ZERO_MM + left * MM_PER_S, (right - left) * MM_PER_S
            pieces.append(f"M{x:.2f} {y - 12:g}h{width:.2f}v24h{-width:.2f}z")
    return f'<path d="{"".join(pieces)}" fill="{SHADE}" fill-opacity="0.22"/>' if pieces else ""


def _calibration(y: float, mm_per_mv: float) -> str:
    """The 1 mV, 0.2 s pulse: 5 mm wide."""
    up, down = f"v{-mm_per_mv:g}", f"v{mm_per_mv:g}"
    return f'<path d="M2.5 {y:g}h2.5{up}h5{down}h2.5" fill="none" stroke="{INK}" stroke-width="0.28"/>'


def _grid(height: float) -> str:
    """1-mm and 5-mm lines over the whole paper."""
    width = WIDTH_MM
    lines = [f'<rect width="{width:g}" height="{height:g}" fill="#fffafa"/>']
    for step, colour, stroke in ((1, FINE, 0.1), (5, COARSE, 0.2)):
        upright = "".join(f"M{x} 0v{height:g}" for x in range(0, int(width) + 1, step))
        level = "".join(f"M0 {y}h{width:g}" for y in range(0, int(height) + 1, step))
        lines.append(f'<path d="{upright}{level}" stroke="{colour}" stroke-width="{stroke}"/>')
    return "".join(lines)


def _text(x: float | int, y: float | int, words: str, *, size: float, weight: str = "normal") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" '
        f'fill="{INK}" {FONT}>{escape(words)}</text>'
        if words
        else ""
    )


def _fitted(y: float | int, words: str, *, size: float, weight: str = "normal") -> str:
    """A line of the head, in smaller letters where it would be wider than the paper: ids and reports may be long."""
    wide = LETTER_EM[weight] * len(visible(words))
    return _text(MARGIN_MM, y, words, size=min(size, WIDTH_MM / wide) if wide else size, weight=weight)


def _footer(y: float | int, mm_per_mv: float, overlaid: bool, shaded: bool, marked: bool) -> str:
    """Speeds on the left, legend on the right."""
    pieces = [_text(MARGIN_MM, y, f"25 mm/s · {mm_per_mv:g} mm/mV", size=3.2)]
    x = 60.0
    if shaded:
        pieces.append(f'<rect x="{x:g}" y="{y - 3:g}" width="7" height="3.6" fill="{SHADE}" fill-opacity="0.3"/>')
        pieces.append(_text(x + 9, y, "hidden from the model", size=3.2))
        x += 50
    if overlaid:
        pieces.append(f'<path d="M{x:g} {y - 1:g}h7" stroke="{RECONSTRUCTED}" stroke-width="0.5"/>')
        pieces.append(_text(x + 9, y, "reconstructed by the model", size=3.2))
        x += 55
        pieces.append(f'<path d="M{x:g} {y - 1:g}h7" stroke="{INK}" stroke-width="0.4"/>')
        pieces.append(_text(x + 9, y, "recorded", size=3.2))
        x += 30
    if marked:
        pieces.append(_text(x, y, "found by a model:", size=3.2))
        x += 28
        for kind in SHAPES:
            pieces += [sample_svg(kind, x, y - 0.6), _text(x + 6.5, y, kind, size=3.2)]
            x += 12 + 2.4 * len(kind)
    return "".join(pieces)
