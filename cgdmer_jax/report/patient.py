"""The report's page of one patient: tracing, what the probe finds, how trustworthy the recording is, who is alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from cgdmer_jax.report.shell import ecg_figure, sheet
from cgdmer_jax.report.tables import facts_table, line, table

SHOWN_FINDINGS = 12
SURE = 0.001  # a probability nearer to 0 or 1 than this is not told to a decimal
ON_PAPER = "Printed on A4 at 100 % (not fitted to the page), 25 mm are 1 s and 10 mm are 1 mV; screens differ."


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
    """A report, or a recording with its labels, at a distance (1 - cosine) from the record."""

    name: str
    text: str
    distance: float


@dataclass(frozen=True)
class Neighbours:
    """The nearest of some, and how far the others are: a distance says nothing alone."""

    among: str  # of what they are the nearest: "the 812 distinct reports trained on"
    median: float  # distance of all of these
    found: Sequence[Neighbour]


@dataclass(frozen=True)
class Case:
    """What the section shows."""

    svg: str  # ecg_paper.ecg_page_svg
    findings: Sequence[Finding]
    remarks: Sequence[str]  # on the quality of the recording; empty = nothing was found
    report: str | None  # of the recording itself; None = it has no clinical text
    reports: Neighbours | None
    recordings: Neighbours | None
    origin: Mapping[str, str]  # what the model saw in training, protocol, fold, versions


def case_section(case: Case) -> str:
    """HTML."""
    return "\n".join(
        [
            sheet(
                [
                    "<h2>One patient</h2>",
                    ecg_figure(case.svg, ON_PAPER),
                    "<h3>Quality of the recording</h3>",
                    _remarks(case.remarks),
                ]
            ),
            "<h3>Report written for the recording</h3>",
            f'<p class="words">{escape(case.report or "none, or without clinical text")}</p>',
            "<h3>Findings</h3>",
            _findings(case.findings),
            "<h3>Most similar</h3>",
            _neighbours("reports", "Report", case.reports),
            _neighbours("recordings", "Labels", case.recordings),
            "<h3>What the model saw</h3>",
            facts_table("Training, protocol and versions behind this page", case.origin),
        ]
    )


def _remarks(remarks: Sequence[str]) -> str:
    if not remarks:
        return (
            '<p class="words">No lead is absent, marked for gaps or clipping or of implausible amplitude, '
            "the limb leads agree with each other, and nothing hints at exchanged arm electrodes.</p>"
        )
    return f"<ul>{''.join(f'<li>{escape(remark)}</li>' for remark in remarks)}</ul>"


def _findings(findings: Sequence[Finding]) -> str:
    known = sorted((f for f in findings if f.probability is not None), key=lambda f: -f.probability)
    shown = [f for rank, f in enumerate(known) if rank < SHOWN_FINDINGS or f.labelled]
    shown += [f for f in findings if f.probability is None and f.labelled]
    body = [
        line(
            (f.task, f"{f.code}: {f.name}"),
            [_share(f.probability), _share(f.prevalence), f'<td class="figure">{"yes" if f.labelled else "no"}</td>'],
            own=f.labelled,
        )
        for f in shown
    ]
    caption = (
        f"The most probable findings, at most {SHOWN_FINDINGS}, and what the recording is labelled (bold). "
        "Probability: the probe's, calibrated on a fold it was not fitted on; n/a: too few positives there. "
        "Prevalence: share of the recordings the probe was fitted on; a probability near it says nothing new"
    )
    return table(caption, ["Task", "Finding", "Probability", "Prevalence", "Labelled"], 2, body)


def _share(value: float | None) -> str:
    if value is None:
        words = "n/a"
    elif 0 < value < SURE:
        words = "&lt; 0.1 %"
    elif 1 - SURE < value < 1:
        words = "&gt; 99.9 %"
    else:
        words = f"{100 * value:.1f} %"
    return f'<td class="figure">{words}</td>'


def _neighbours(kind: str, what: str, near: Neighbours | None) -> str:
    if near is None:
        return ""
    body = [
        line((one.text, one.name), [f'<td class="figure">{one.distance:.3f}</td>'], own=False) for one in near.found
    ]
    distance = f"Distance = one minus cosine, 0 for the same direction; median of all: {near.median:.3f}"
    caption = f"Nearest {kind} among {near.among}. {distance}"
    return table(caption, [what, "Record", "Distance"], 2, body)
