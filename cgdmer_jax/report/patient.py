"""The report's page of one patient: tracing, what the probe finds, how trustworthy the recording is, who is alike."""

from collections.abc import Sequence

from cgdmer_jax.report.contents import Case, Finding
from cgdmer_jax.report.ecg_paper import ecg_page_svg
from cgdmer_jax.report.neighbours import NO_REPORT, nearest_recordings, nearest_reports
from cgdmer_jax.report.shell import ecg_figure, sheet
from cgdmer_jax.report.shown import escape
from cgdmer_jax.report.tables import facts_table, line, table

SHOWN_FINDINGS = 12
SURE = 0.001  # a probability nearer to 0 or 1 than this is not told to a decimal
ON_PAPER = (
    "Printed on A4 at 100 % (not fitted to the page), 25 mm are 1 s and the pulse left of each row is 1 mV; "
    "screens differ, and a narrow one shows it smaller."
)
MARKED = "The marks below the traces are P, QRS and T as a model found them in each lead; no expert has looked at them."
HEART_RATE = (
    "estimated by this program, not measured by hand: 60 s over the median distance between QRS complexes, which are "
    "found by the slope of all recorded leads together"
)


def case_section(case: Case, versions: str) -> str:
    """HTML; `versions` are those that the figures come from."""
    return "\n".join(
        [
            sheet(
                [
                    "<h2>One patient</h2>",
                    ecg_figure(_svg(case), ON_PAPER if case.waves is None else f"{ON_PAPER} {MARKED}"),
                    _heart_rate(case.heart_rate),
                    "<h3>Quality of the recording</h3>",
                    _remarks(case.remarks),
                ]
            ),
            "<h3>Report written for the recording</h3>",
            f'<p class="words">{escape(case.report or NO_REPORT)}</p>',
            "<h3>Findings</h3>",
            _findings(case.findings),
            "<h3>Most similar</h3>",
            nearest_reports(case.reports),
            nearest_recordings(case.recordings, case.tracing),
            "<h3>What the model saw</h3>",
            facts_table("Training, protocol and versions behind this page", case.origin | {"Versions": versions}),
        ]
    )


def _svg(case: Case) -> str:
    tracing = case.tracing
    return ecg_page_svg(
        tracing.signal_mv,
        tracing.rate,
        title=tracing.title,
        subtitle=tracing.subtitle,
        lead_mask=tracing.lead_mask,
        waves=case.waves,
    )


def _heart_rate(beats: float | None) -> str:
    """Empty where it could not be measured."""
    if beats is None:
        return ""
    return f'<p class="words"><strong>Heart rate: {beats:.0f} beats a minute</strong>, {HEART_RATE}.</p>'


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
        "Each is estimated by itself, independently of the others: those of findings that exclude each other need not "
        "add up to 100 %, and two of them can be high at once. "
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
