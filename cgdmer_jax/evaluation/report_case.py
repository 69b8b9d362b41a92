"""One scored recording for the report: tracing, findings, quality, nearest reports and recordings."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.sources.source import LabelClass
from cgdmer_jax.evaluation.subject import Task
from cgdmer_jax.metrics.calibration import fit_calibration
from cgdmer_jax.metrics.probe import Probe
from cgdmer_jax.report.contents import Finding, Neighbour, Neighbours, Tracing
from cgdmer_jax.report.neighbours import excerpt_of
from cgdmer_jax.waveform.heart_rate import heart_rates
from cgdmer_jax.waveform.quality_notes import RECORD_WORDS, remarks

NEIGHBOURS = 5


def tracing_of(corpus: Corpus, line: int, store: str) -> Tracing:
    """The whole recording, with what stands on the head of an ECG."""
    length = int(corpus.length[line])
    return Tracing(
        title=title_of(corpus, line, store),
        subtitle=_patient(corpus.column("sex")[line], float(corpus.column("age")[line])),
        rate=float(corpus.rate),
        signal_uv=corpus.read(np.array([line]))[0, :, :length],
        lead_mask=corpus.lead_mask[line],
    )


def title_of(corpus: Corpus, line: int, store: str) -> str:
    return f"Record {corpus.column('record_id')[line]} of {store}"


def _patient(sex: str | None, age: float) -> str:
    """Sex and age in words; NaN = unknown age."""
    return f"{sex or 'sex unknown'}, {'age unknown' if np.isnan(age) else f'{age:.0f} years'}"


def report_of(corpus: Corpus, line: int) -> str | None:
    """The report written for the recording, None without clinical text."""
    text_id = int(corpus.text_id[line])
    return None if text_id == NO_TEXT else corpus.texts[text_id]


def heart_rate_of(tracing: Tracing) -> float | None:
    """Beats a minute over the recorded leads; None where it has too few beats or no lead."""
    if not tracing.lead_mask.any():
        return None
    length = np.array([tracing.signal_uv.shape[1]], np.int32)
    (beats,) = heart_rates(tracing.signal_uv[None], tracing.lead_mask[None], length, tracing.rate)
    return float(beats) if np.isfinite(beats) else None


def remarks_on(corpus: Corpus, line: int) -> tuple[str, ...]:
    """Remarks on the recording's quality."""
    columns = ("lead_flagged", "lead_implausible", "lead_derived")
    marks = {"lead_absent": ~corpus.lead_mask[line]} | {name: corpus.column(name)[line] for name in columns}
    return tuple(remarks(marks, {name: bool(corpus.column(name)[line]) for name in RECORD_WORDS}))


def findings(
    task: Task, probe: Probe, classes: Sequence[LabelClass], features: Float[np.ndarray, "record feature"], at: int
) -> tuple[Finding, ...]:
    """The classes of one task for the record at place `at`.

    Calibrated on the fold that chose C, which the probe's weights never saw.
    """
    calibration = fit_calibration(probe.scores(features[task.choose]), task.labels[task.choose])
    (probabilities,) = calibration.probabilities(probe.scores(features[at : at + 1]))
    prevalence = task.labels[task.fit].mean(0)
    found = zip(classes, probabilities, prevalence, task.labels[at], probe.fitted, strict=True)
    return tuple(
        Finding(
            task.name,
            label.code,
            label.name,
            float(p) if np.isfinite(p) and fitted else None,
            float(share),
            bool(own),
        )
        for label, p, share, own, fitted in found
    )


def nearest_reports(
    corpus: Corpus,
    ids: Int[np.ndarray, "text"],
    vectors: Float[np.ndarray, "text width"],
    aligned: Float[np.ndarray, "width"],
    among: str,
) -> Neighbours:
    """The reports of these ids nearest to a recording, by the aligned vectors; `among` says whose they are."""
    distance = 1 - vectors @ aligned
    found = tuple(
        Neighbour(f"report {ids[k]}", corpus.texts[ids[k]], _defined(distance[k])) for k in _nearest(distance)
    )
    return Neighbours(f"the {len(ids):,} distinct reports {among}", _defined(np.median(distance)), found)


def nearest_recordings(
    corpus: Corpus,
    lines: Int[np.ndarray, "record"],
    tasks: Sequence[Task],
    standard: Float[np.ndarray, "record feature"],
    fitted: Int[np.ndarray, "fitted"],
    at: int,
    among: str,
    store: str,
) -> Neighbours:
    """Those at places `fitted` nearest to the one at `at`, by the direction of a standardised feature."""
    standard = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    distance = 1 - standard[fitted] @ standard[at]
    nearest = _nearest(distance)
    found = tuple(
        Neighbour(
            str(corpus.column("record_id")[line]),
            _labels(corpus, tasks, int(fitted[k])),
            _defined(distance[k]),
            excerpt_of(tracing_of(corpus, line, store)),
            report_of(corpus, line),
        )
        for k, line in zip(nearest, lines[fitted[nearest]].tolist(), strict=True)
    )
    return Neighbours(f"the {len(fitted):,} {among}", _defined(np.median(distance)), found)


def _nearest(distance: Float[np.ndarray, "one"]) -> Int[np.ndarray, "nearest"]:
    return np.argsort(distance, kind="stable")[:NEIGHBOURS]


def _defined(value: float | np.floating) -> float | None:
    """None for a distance from a vector without a direction."""
    return float(value) if np.isfinite(value) else None


def _labels(corpus: Corpus, tasks: Sequence[Task], at: int) -> str:
    """Name and code of every label, each once whatever number of tasks has it."""
    own = [
        label
        for task in tasks
        for label, is_so in zip(corpus.classes(task.name), task.labels[at], strict=True)
        if is_so
    ]
    return "; ".join(dict.fromkeys(f"{label.name} ({label.code})" for label in own)) or "none"
