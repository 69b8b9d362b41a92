"""ECG paper as SVG in true millimetres: 25 mm/s, 10 mm/mV, 3x4 leads of 2.5 s above 10 s of lead II."""

import hashlib

import numpy as np
from jaxtyping import Bool, Float

from cgdmer_jax.report.shown import escape

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
RHYTHM = "II"

MM_PER_S, MM_PER_MV = 25.0, 10.0
COLUMN_S, PAGE_S = 2.5, 10.0
ROW_MM = 30.0  # baselines fall on 5-mm lines
TOP_MM = 10.0  # above the first row: R waves of 2.5 mV stay on the paper
TIME_ZERO_MM = 15.0  # room for the calibration pulse, left of it
PAPER_MM = (TIME_ZERO_MM + PAGE_S * MM_PER_S + 5.0, TOP_MM + 4 * ROW_MM)
MARGIN_MM, HEAD_MM, FOOT_MM = 5.0, 13.0, 8.0

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
) -> str:
    """One page of the first 10 s in canonical lead order; each lead's median (of the signal) is its baseline.

    `hidden` patches (equal parts of the whole signal) are shaded; `overlay_mv`, a reconstruction, is drawn in
    blue there, or everywhere without `hidden`. A lead that is False in `lead_mask` is named and left blank.
    """
    present = np.ones(12, bool) if lead_mask is None else lead_mask
    strips = [(lead, row, column) for row, leads in enumerate(ROWS) for column, lead in enumerate(leads)]
    parts = [_strip(signal_mv, rate, present, overlay_mv, hidden, *s, COLUMN_S) for s in strips]
    parts.append(_strip(signal_mv, rate, present, overlay_mv, hidden, RHYTHM, 3, 0, PAGE_S))
    # Ground first: no shade may cover a neighbouring row's trace.
    drawn = [piece for layer in zip(*parts, strict=True) for piece in layer]
    width, height = PAPER_MM[0] + 2 * MARGIN_MM, PAPER_MM[1] + HEAD_MM + FOOT_MM
    told = _told(signal_mv.shape[1] / rate, rate, present, overlay_mv is not None, hidden is not None)
    # Ids by content: several pages stand in one document.
    name = "ecg-" + hashlib.sha256("".join([title, told, *drawn]).encode(errors="surrogatepass")).hexdigest()[:12]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(told)}</desc>',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        _text(MARGIN_MM, 5.6, title, size=4.2, weight="bold"),
        _text(MARGIN_MM, 10.6, subtitle, size=3.2),
        # A nested svg clips to the paper without an id, so that many pages fit in one document.
        f'<svg x="{MARGIN_MM:g}" y="{HEAD_MM:g}" width="{PAPER_MM[0]:g}" height="{PAPER_MM[1]:g}">',
        _grid(),
        *drawn,
        "</svg>",
        _footer(height - 2.8, overlay_mv is not None, hidden is not None),
        "</svg>",
    ]
    return "\n".join(line for line in lines if line)


def _told(seconds: float, rate: float | int, present, overlaid: bool, shaded: bool) -> str:
    """Description for a reader who cannot see the page."""
    absent = [lead for lead, is_so in zip(LEADS, present, strict=True) if not is_so]
    rows = "; ".join(", ".join(row) for row in ROWS)
    words = [
        f"Electrocardiogram of {seconds:g} s at {rate:g} Hz on paper of 25 mm per second and 10 mm per millivolt.",
        f"Three rows of four leads, 2.5 s each ({rows}), above 10 s of lead {RHYTHM}.",
        "Left of each row a calibration pulse of 1 mV and 0.2 s.",
        f"Not recorded: {', '.join(absent)}." if absent else "",
        "Shaded: hidden from the model." if shaded else "",
        "In blue: as reconstructed by the model." if overlaid else "",
    ]
    return " ".join(word for word in words if word)


def baseline_mm(row: int) -> float:
    """Height of a row's zero line on the paper, from its top."""
    return TOP_MM + row * ROW_MM + ROW_MM / 2


def _strip(signal_mv, rate, present, overlay_mv, hidden, lead, row, column, seconds):
    """(shade, calibration and tick, trace, overlay, label) of one lead from `column * 2.5` s on."""
    index = LEADS.index(lead)
    first = round(column * COLUMN_S * rate)
    last = min(first + round(seconds * rate), signal_mv.shape[1] - 1)  # one sample shared: no gap between columns
    x = TIME_ZERO_MM + column * COLUMN_S * MM_PER_S
    y = baseline_mm(row)
    mark = _calibration(y) if column == 0 else f'<path d="M{x:g} {y - 3:g}v6" stroke="{INK}" stroke-width="0.35"/>'
    label = _text(x + 1, y - ROW_MM / 2 + 4.6, lead, size=3.6, weight="bold")
    if not present[index]:
        return "", mark, "", "", label + _text(x + 8, y + 1, "not recorded", size=3.2)
    samples = np.arange(first, last + 1)
    if not len(samples):
        return "", mark, "", "", label
    zero_mv = float(np.nanmedian(signal_mv[index])) if np.isfinite(signal_mv[index]).any() else 0.0
    x_mm = TIME_ZERO_MM + samples / rate * MM_PER_S
    y_mm = y - (signal_mv[index, samples] - zero_mv) * MM_PER_MV
    trace = _path(x_mm, y_mm, INK, 0.28)
    if (y_mm < 0).any() or (y_mm > PAPER_MM[1]).any():
        label += _text(x + 10, y - ROW_MM / 2 + 4.6, "leaves the paper", size=2.8)
    shade, overlay = "", ""
    covered = np.ones(len(samples), bool)
    if hidden is not None:
        n_samples = signal_mv.shape[1]
        patch = n_samples / hidden.shape[1]
        covered = hidden[index, np.minimum(samples // patch, hidden.shape[1] - 1).astype(int)]
        shade = _shade(hidden[index], patch / rate, first / rate, first / rate + seconds, y)
    if overlay_mv is not None:
        values = np.where(covered, overlay_mv[index, samples] - zero_mv, np.nan)
        overlay = _path(x_mm, y - values * MM_PER_MV, RECONSTRUCTED, 0.32)
    return shade, mark, trace, overlay, label


def _path(x_mm, y_mm, colour: str, width_mm: float) -> str:
    """A polyline that breaks where `y_mm` is not finite."""
    finite = np.isfinite(y_mm)
    starts = finite & ~np.concatenate([[False], finite[:-1]])
    steps = [
        f"{'M' if start else 'L'}{x:.2f} {y:.2f}"
        for x, y, keep, start in zip(x_mm, y_mm, finite, starts, strict=True)
        if keep
    ]
    return (
        f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="{width_mm}" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
        if steps
        else ""
    )


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


def _calibration(y: float) -> str:
    """The 1 mV, 0.2 s pulse: 10 mm high, 5 mm wide."""
    return f'<path d="M2.5 {y:g}h2.5v-10h5v10h2.5" fill="none" stroke="{INK}" stroke-width="0.28"/>'


def _grid() -> str:
    """1-mm and 5-mm lines over the whole paper."""
    width, height = PAPER_MM
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


def _footer(y: float | int, overlaid: bool, shaded: bool) -> str:
    """Speeds on the left, legend on the right."""
    pieces = [_text(MARGIN_MM, y, "25 mm/s · 10 mm/mV", size=3.2)]
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
    return "".join(pieces)
