"""Marks of P, QRS and T below the trace of an ECG page, told apart by shape: a printer may have no colour.

P is an open bar, QRS a filled one, T a bracket; each reaches from the onset to the offset of its wave.
"""

from collections.abc import Sequence

from cgdmer_jax.waveform.waves import FoundWave

SHAPES = {"P": "open bars", "QRS": "filled bars", "T": "brackets"}  # below the traces, by kind
COLOUR, GROUND = "#3b4a63", "#ffffff"
HEIGHT_MM, THIN_MM = 0.9, 0.22
ROOM_MM = 2.0  # of a row, kept free of its trace
SAMPLE_MM = 5.0  # width of a mark in the legend
GAP_MM = 0.7  # between the marks and the edge of the row


def marks_svg(waves: Sequence[FoundWave], from_s: float, to_s: float, x: float, mm_per_s: float, bottom: float) -> str:
    """A path for each kind; `x` is where `from_s` is drawn, `bottom` the lower edge of the row. Millimetres.

    A wave that reaches beyond `from_s` or `to_s` is cut there, and its bracket stays open on that side.
    """
    paths = {kind: "" for kind in SHAPES}
    for wave in waves:
        first, last = max(wave.onset_s, from_s), min(wave.offset_s, to_s)
        if first < last:
            left, width = x + (first - from_s) * mm_per_s, (last - first) * mm_per_s
            ends = wave.onset_s >= from_s, wave.offset_s <= to_s
            paths[wave.kind] += _shape(wave.kind, left, bottom - GAP_MM, width, *ends)
    return "".join(_path(kind, steps) for kind, steps in paths.items() if steps)


def sample_svg(kind: str, x: float, bottom: float) -> str:
    """One mark for the legend."""
    return _path(kind, _shape(kind, x, bottom, SAMPLE_MM))


def _shape(kind: str, x: float, bottom: float, width: float, begins: bool = True, ends: bool = True) -> str:
    if kind == "T":
        before = f"M{x:.2f} {bottom - HEIGHT_MM:.2f}v{HEIGHT_MM:g}" if begins else f"M{x:.2f} {bottom:.2f}"
        return f"{before}h{width:.2f}" + (f"v{-HEIGHT_MM:g}" if ends else "")
    return f"M{x:.2f} {bottom:.2f}h{width:.2f}v{-HEIGHT_MM:g}h{-width:.2f}z"


def _path(kind: str, steps: str) -> str:
    fill = {"P": GROUND, "QRS": COLOUR, "T": "none"}[kind]
    return f'<path d="{steps}" fill="{fill}" stroke="{COLOUR}" stroke-width="{THIN_MM}"/>'
