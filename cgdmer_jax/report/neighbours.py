"""Reports and recordings most similar to a patient's: the reports as a table, the recordings as small ECGs."""

import numpy as np

from cgdmer_jax.report.contents import Excerpt, Neighbour, Neighbours, Tracing
from cgdmer_jax.report.ecg_paper import LEADS
from cgdmer_jax.report.shown import escape
from cgdmer_jax.report.small_ecg import small_ecg_svg
from cgdmer_jax.report.tables import line, table

SHOWN_LEADS = ("II", "V1", "V5")
SCALE = "All ECGs are drawn to one scale, 10 s across, for comparison at a glance; beyond 3 mV they are cut"
NO_REPORT = "none, or without clinical text"


def excerpt_of(tracing: Tracing) -> Excerpt:
    """Three leads of a recording: II, V1 and V5, or the first that it has where it lacks all of those."""
    recorded = [lead for lead, is_there in zip(LEADS, tracing.lead_mask, strict=True) if is_there]
    leads = tuple(lead for lead in SHOWN_LEADS if lead in recorded) or tuple(recorded[: len(SHOWN_LEADS)])
    return Excerpt(tracing.rate, leads, tracing.signal_uv[[LEADS.index(lead) for lead in leads]])


def nearest_reports(near: Neighbours | None) -> str:
    """Table; empty without any."""
    return _table("reports", "Report", near) if near else ""


def nearest_recordings(near: Neighbours | None, own: Tracing) -> str:
    """Each with its ECG, labels and report, the patient's own first; a table of files that hold no excerpts."""
    if near is None:
        return ""
    if not any(one.excerpt for one in near.found):
        return _table("recordings", "Labels", near)
    mine = f"<figcaption>{escape(own.title)}, for comparison</figcaption>"
    mine = f"<figure>{_svg(excerpt_of(own), own.title)}{mine}</figure>"
    others = "".join(_figure(one) for one in near.found)
    words = f"{_caption('recordings', near)}. {SCALE}."
    return f'<p class="words before">{escape(words)}</p>\n<div class="near">{mine}{others}</div>'


def _figure(one: Neighbour) -> str:
    drawn = _svg(one.excerpt, f"Record {one.name}") if one.excerpt else ""
    words = (
        f"<strong>Record {escape(one.name)}</strong>, distance {_distance(one.distance)}. Labels: {escape(one.text)}. "
        f"Report: {escape(one.report or NO_REPORT)}"
    )
    return f"<figure>{drawn}<figcaption>{words}</figcaption></figure>"


def _svg(excerpt: Excerpt, name: str) -> str:
    return small_ecg_svg(np.asarray(excerpt.signal_mv), excerpt.rate, excerpt.leads, name)


def _table(kind: str, what: str, near: Neighbours) -> str:
    body = [
        line((one.text, one.name), [f'<td class="figure">{_distance(one.distance)}</td>'], own=False)
        for one in near.found
    ]
    return table(_caption(kind, near), [what, "Record", "Distance"], 2, body)


def _caption(kind: str, near: Neighbours) -> str:
    distance = f"Distance = one minus cosine, 0 for the same direction; median of all: {_distance(near.median)}"
    return f"Nearest {kind} among {near.among}. {distance}"


def _distance(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
