"""Gathers what report.json holds from an evaluation: the last step that needs the model."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import cgdmer_jax
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.evaluation.case_waves import waves_of
from cgdmer_jax.evaluation.embedded import Embedded, Headline
from cgdmer_jax.evaluation.outcome import leave_out
from cgdmer_jax.evaluation.parts import CleanInputs
from cgdmer_jax.evaluation.reconstruction import Reconstruct, masked_by
from cgdmer_jax.evaluation.report_case import (
    findings,
    heart_rate_of,
    nearest_recordings,
    nearest_reports,
    remarks_on,
    report_of,
    title_of,
    tracing_of,
)
from cgdmer_jax.evaluation.report_words import case_facts, head_facts, of_training, training_reports
from cgdmer_jax.evaluation.retrieval import embed_texts
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.methods.batched import records_at_once
from cgdmer_jax.metrics.probe import Probe
from cgdmer_jax.metrics.standardise import moments
from cgdmer_jax.metrics_file import METRICS
from cgdmer_jax.recipes import build
from cgdmer_jax.report.contents import Case, Contents, Neighbours, ShownReconstruction, Tracing
from cgdmer_jax.report.make import read_extras


def check_extras(out: Path) -> tuple[str, ...]:
    """Reads what the page shows of other commands before anything is scored: no work is lost to a damaged file.

    Returns the sentence on what is not there.
    """
    there = read_extras(out).metrics is not None
    return () if there else (leave_out("training curves", f"the run has no {METRICS}"),)


def gather_contents(subject: Subject, clean: CleanInputs | None, prompts: str | None, results_sha256: str) -> Contents:
    """A patient's page and a reconstruction belong to protocol `clean`: `clean` is None of the other one."""
    base = subject.base
    return Contents(
        results_sha256=results_sha256,
        version=cgdmer_jax.__version__,
        title=f"{base.method} on {base.store}, {base.split} split, protocol {base.protocol}",
        own_method=base.method,
        facts=head_facts(subject.trained, subject.corpus, base, subject.overlap, prompts),
        case=_case(subject, clean.embedded, clean.headline) if clean else None,
        reconstructions=_reconstructions(subject, clean.reconstruct) if clean else (),
        class_names=_class_names(subject),
    )


def _class_names(subject: Subject) -> dict[str, dict[str, str]]:
    """Names that the store has for the codes of each scored task; merl's tasks are not the store's, its codes are."""
    of_task = {
        name: {label.code: label.name for label in subject.corpus.classes(name)}
        for name in subject.corpus.stores[0].tasks
    }
    every = {code: name for names in of_task.values() for code, name in names.items()}
    named = {}
    for task in subject.scored:
        known = of_task.get(task.name, every)
        known = {code.strip("_"): name for code, name in known.items()} | known  # merl's tables strip underscores
        named[task.name] = {code: known[code] for code in task.classes if code in known}
    return named


def _case(subject: Subject, embedded: Embedded, headline: Headline) -> Case:
    """The record that is shown."""
    corpus, base, at = subject.corpus, subject.base, subject.shown_record()
    line = int(subject.lines[at])
    probes = headline.probes
    fitted = {task.name: _fitted(task, probes[task.name]) for task in subject.tasks}
    tracing, marking = tracing_of(corpus, line, base.store), subject.wave_model
    origin = case_facts(subject.trained, corpus, line, base, fitted, asked=subject.case is not None)
    return Case(
        tracing=tracing,
        findings=tuple(
            finding
            for task in subject.tasks
            for finding in findings(task, probes[task.name], corpus.classes(task.name), headline.x, at)
        ),
        remarks=remarks_on(corpus, line),
        report=report_of(corpus, line),
        reports=_reports(subject, embedded, at),
        recordings=_recordings(subject, headline, at),
        origin=origin | ({"Waves marked by": marking.told} if marking else {}),
        record_id=str(corpus.column("record_id")[line]),
        heart_rate=heart_rate_of(tracing),
        waves=waves_of(marking, corpus, line, subject.table) if marking else None,
    )


def _fitted(task: Task, probe: Probe) -> str:
    return (
        f"fitted on {len(task.fit):,} recordings, C = {probe.strength:g} chosen and "
        f"probabilities calibrated on {len(task.choose):,}"
    )


def _reports(subject: Subject, embedded: Embedded, at: int) -> Neighbours | None:
    """Distinct reports of the training folds; None where there is none, and for a method without text."""
    if embedded.texts_of is None:
        return None
    ids = np.unique(training_reports(subject.corpus))
    if not len(ids):
        return None
    vectors = embed_texts(subject.table, embedded.texts_of, subject.trained.variables, ids)
    among = of_training(subject.trained.contract, subject.corpus, subject.base)
    return nearest_reports(subject.corpus, ids, vectors, embedded.own["aligned"][at], among)


def _recordings(subject: Subject, headline: Headline, at: int) -> Neighbours | None:
    """Recordings of the fitting folds, by the headline feature as the first task's probe standardises it, or None."""
    folds = probe_folds(subject.base.split).fit
    fitted = np.flatnonzero(in_folds(subject.corpus.fold[subject.lines], folds))
    if not len(fitted):
        return None
    probe, x = headline.probes[subject.tasks[0].name] if subject.tasks else None, headline.x
    mean, std = (probe.mean, probe.std) if probe else moments(x[fitted], "training")
    among = of_training(subject.trained.contract, subject.corpus, subject.base, folds)
    standard, store = (x - mean) / std, subject.base.store
    return nearest_recordings(subject.corpus, subject.lines, subject.tasks, standard, fitted, at, among, store)


def _reconstructions(subject: Subject, reconstruct: Reconstruct | None) -> tuple[ShownReconstruction, ...]:
    """The record that is shown with patches hidden as in training; nothing for a method that reconstructs nothing."""
    run, corpus = subject.trained, subject.corpus
    if reconstruct is None:
        return ()
    line = subject.lines[[subject.shown_record()]]
    batch, _ = next(iter(build.read_batches(corpus, line, subject.table, records_at_once())))
    masked = masked_by(run, run.config.method.masking)
    draws = jax.jit(masked.draw)(jax.random.key(0), batch, jnp.float32(1))
    made_mv, _, hidden = (part[0] for part in reconstruct(batch, draws))
    tracing = Tracing(
        title=title_of(corpus, int(line[0]), subject.base.store),
        subtitle="",
        rate=float(corpus.rate),
        signal_uv=np.asarray(batch.signal[0, :, : made_mv.shape[1]]),
        lead_mask=np.asarray(batch.lead_mask[0]),
    )
    return (ShownReconstruction(tracing, made_mv, hidden),)
