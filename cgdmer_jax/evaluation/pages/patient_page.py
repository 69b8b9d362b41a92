"""One scored recording as a patient's page of the report: findings, quality, nearest reports and recordings."""

import jax
import numpy as np

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.sources.source import LabelClass
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.evaluation.evaluation import Evaluation, Task
from cgdmer_jax.evaluation.pages.patient_page_facts import case_origin, of_training, training_reports
from cgdmer_jax.evaluation.retrieval import embed_texts
from cgdmer_jax.metrics.calibration import fit_calibration
from cgdmer_jax.metrics.standardise import moments
from cgdmer_jax.report.ecg_paper import ecg_page_svg
from cgdmer_jax.report.patient import Case, Finding, Neighbour, Neighbours
from cgdmer_jax.waveform.quality_notes import RECORD_WORDS, remarks

NEIGHBOURS = 5


def make_case(state: Evaluation, feature: str) -> Case:
    """The first scored record; `feature` is the headline, which the probes read."""
    at = state.shown_record()  # place among the embedded records
    line = state.lines[at : at + 1]
    length = int(state.corpus.length[line[0]])
    record_id = state.corpus.column("record_id")[line[0]]
    text_id = int(state.corpus.text_id[line[0]])
    svg = ecg_page_svg(
        state.corpus.read(line)[0, :, :length] * 1e-3,
        state.corpus.rate,
        title=f"Record {record_id} of {state.base.store}",
        subtitle=patient_words(state.corpus.column("sex")[line[0]], float(state.corpus.column("age")[line[0]])),
        lead_mask=state.corpus.lead_mask[line[0]],
    )
    features = state.features[f"{state.base.method}/{feature}"][0]
    return Case(
        svg=svg,
        findings=[finding for task in state.tasks for finding in _findings(state, task, features, at)],
        remarks=_remarks(state, int(line[0])),
        report=None if text_id == NO_TEXT else state.corpus.texts[text_id],
        reports=_nearest_reports(state, at),
        recordings=_nearest_recordings(state, features, at),
        origin=case_origin(state, at),
    )


def patient_words(sex: str | None, age: float) -> str:
    """As on the head of an ECG; NaN = unknown age."""
    return f"{sex or 'sex unknown'}, {'age unknown' if np.isnan(age) else f'{age:.0f} years'}"


def _findings(state: Evaluation, task: Task, features: np.ndarray, at: int) -> list[Finding]:
    """Of one task; calibrated on the fold that chose C, which the probe's weights never saw."""
    calibration = fit_calibration(task.headline.scores(features[task.choose]), task.labels[task.choose])
    (probabilities,) = calibration.probabilities(task.headline.scores(features[at : at + 1]))
    prevalence = task.labels[task.fit].mean(0)
    return [
        Finding(
            task.name,
            label.code,
            label.name,
            float(p) if np.isfinite(p) and fitted else None,
            float(share),
            bool(own),
        )
        for label, p, share, own, fitted in zip(
            state.corpus.classes(task.name),
            probabilities,
            prevalence,
            task.labels[at],
            task.headline.fitted,
            strict=True,
        )
    ]


def _remarks(state: Evaluation, line: int) -> list[str]:
    corpus = state.corpus
    columns = ("lead_flagged", "lead_implausible", "lead_derived")
    marks = {"lead_absent": ~corpus.lead_mask[line]} | {name: corpus.column(name)[line] for name in columns}
    return remarks(marks, {name: bool(corpus.column(name)[line]) for name in RECORD_WORDS})


def _nearest_reports(state: Evaluation, at: int) -> Neighbours | None:
    """Distinct reports of the training folds, by the aligned vectors; None for a method without text."""
    if not state.trained.method.declared.text:
        return None
    ids = np.unique(training_reports(state))
    if not len(ids):
        return None
    text = embed_texts(state, jax.jit(state.trained.method.embed_text), state.trained.variables, ids)
    distance = 1 - text @ state.features[f"{state.base.method}/aligned"][0][at]
    found = [Neighbour(f"report {ids[k]}", state.corpus.texts[ids[k]], float(distance[k])) for k in _nearest(distance)]
    return Neighbours(f"the {len(ids):,} distinct reports {of_training(state)}", float(np.median(distance)), found)


def _nearest_recordings(state: Evaluation, features: np.ndarray, at: int) -> Neighbours | None:
    """Recordings of the fitting folds, by the headline feature as the first task's probe standardises it."""
    folds = probe_folds(state.base.split).fit
    fitted = np.flatnonzero(in_folds(state.corpus.fold[state.lines], folds))
    if not len(fitted):
        return None
    probe = state.tasks[0].headline if state.tasks else None
    mean, std = (probe.mean, probe.std) if probe else moments(features[fitted], "training")
    standard = (features - mean) / std
    standard /= np.linalg.norm(standard, axis=1, keepdims=True)
    distance = 1 - standard[fitted] @ standard[at]
    record_id = state.corpus.column("record_id")
    found = [
        Neighbour(str(record_id[state.lines[fitted[k]]]), _labels(state, int(fitted[k])), float(distance[k]))
        for k in _nearest(distance)
    ]
    return Neighbours(f"the {len(fitted):,} {of_training(state, folds)}", float(np.median(distance)), found)


def _nearest(distance: np.ndarray) -> np.ndarray:
    return np.argsort(distance, kind="stable")[:NEIGHBOURS]


def _labels(state: Evaluation, at: int) -> str:
    """Name and code of every label, each once whatever number of tasks has it."""
    own = [
        label
        for task in state.tasks
        for label, is_so in zip(state.corpus.classes(task.name), task.labels[at], strict=True)
        if is_so
    ]
    return "; ".join(dict.fromkeys(map(_words, own))) or "none"


def _words(label: LabelClass) -> str:
    return f"{label.name} ({label.code})"
