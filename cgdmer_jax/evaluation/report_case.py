"""The report's page of one patient: tracing, what the probe finds, how trustworthy the recording is, who is alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cgdmer_jax.evaluation.report_tables import line, table

SHOWN_FINDINGS = 12


@dataclass(frozen=True)
class Finding:
    """One class of one task."""

    task: str
    code: str
    name: str
    probability: float | None  # calibrated; None = too few positives to calibrate on
    prevalence: float  # share of the records the probe was fitted on
    labelled: bool  # the record's own label


@dataclass(frozen=True)
class Neighbour:
    """A report, or a past recording with its labels, at a distance (1 - cosine) from the record."""

    name: str
    text: str
    distance: float


@dataclass(frozen=True)
class Case:
    """What the section shows."""

    svg: str  # ecg_paper.ecg_page_svg
    findings: Sequence[Finding]
    remarks: Sequence[str]  # on the quality of the recording; empty = nothing was found
    reports: Sequence[Neighbour]
    recordings: Sequence[Neighbour]


def case_section(case: Case) -> str:
    """HTML."""
    quality = "; ".join(case.remarks) if case.remarks else "no gap, clipping, absent lead or contradiction was found"
    return "\n".join(
        [
            "<h2>One patient</h2>",
            f"<figure>{case.svg}</figure>",
            f"<p>Recording: {escape(quality)}.</p>",
            _findings(case.findings),
            _neighbours("Nearest reports among those trained on", "Report", case.reports),
            _neighbours("Nearest past recordings among those the probe was fitted on", "Labels", case.recordings),
        ]
    )


def _findings(findings: Sequence[Finding]) -> str:
    known = sorted((f for f in findings if f.probability is not None), key=lambda f: -f.probability)
    shown = [f for rank, f in enumerate(known) if rank < SHOWN_FINDINGS or f.labelled]
    shown += [f for f in findings if f.probability is None and f.labelled]
    body = [
        line(
            (f.task, f"{f.code}: {f.name}"),
            [_share(f.probability), _share(f.prevalence), f'<td class="figure">{"yes" if f.labelled else ""}</td>'],
            own=f.labelled,
        )
        for f in shown
    ]
    caption = "Most probable findings by the probe, calibrated on held-out patients; bold: what the record is labelled"
    return table(caption, ["Task", "Finding", "Probability", "Prevalence", "Labelled"], 2, body)


def _share(value: float | None) -> str:
    return '<td class="figure">n/a</td>' if value is None else f'<td class="figure">{100 * value:.1f} %</td>'


def _neighbours(caption: str, what: str, found: Sequence[Neighbour]) -> str:
    if not found:
        return ""
    body = [line((one.text, one.name), [f'<td class="figure">{one.distance:.3f}</td>'], own=False) for one in found]
    return table(f"{caption}; distance = 1 - cosine", [what, "Record", "Distance"], 2, body)
