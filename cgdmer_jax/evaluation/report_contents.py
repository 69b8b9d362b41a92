"""Gathers what report.json holds from an evaluation: the last step that needs the model."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import cgdmer_jax
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.evaluation.evaluation import Evaluation, Task
from cgdmer_jax.evaluation.reconstruction import masked_by, reconstructor
from cgdmer_jax.evaluation.report_case import (
    findings,
    nearest_recordings,
    nearest_reports,
    remarks_on,
    report_of,
    title_of,
    tracing_of,
)
from cgdmer_jax.evaluation.report_words import case_facts, head_facts, of_training, training_reports
from cgdmer_jax.evaluation.retrieval import embed_texts
from cgdmer_jax.metrics.standardise import moments
from cgdmer_jax.metrics_file import METRICS
from cgdmer_jax.recipes import build, embedding
from cgdmer_jax.report.contents import Case, Contents, Neighbours, Reconstructed, Tracing
from cgdmer_jax.report.make import read_extras


def check_extras(state: Evaluation, out: Path) -> None:
    """Reads what the page shows of other commands before anything is scored: no work is lost to a damaged file."""
    if read_extras(out).metrics is None:
        state.leave_out("training curves", f"the run has no {METRICS}")


def gather_contents(state: Evaluation, feature: str, prompts: str | None, results_sha256: str) -> Contents:
    """`feature` is the headline; a patient's page and a reconstruction belong to protocol `clean`."""
    base, clean = state.base, state.base.protocol == "clean"
    return Contents(
        results_sha256=results_sha256,
        version=cgdmer_jax.__version__,
        title=f"{base.method} on {base.store}, {base.split} split, protocol {base.protocol}",
        own_method=base.method,
        facts=head_facts(state.trained, state.corpus, base, state.overlap, prompts),
        case=_case(state, feature) if clean else None,
        reconstructions=_reconstructions(state) if clean else (),
    )


def _case(state: Evaluation, feature: str) -> Case:
    """The first scored record."""
    corpus, base, at = state.corpus, state.base, state.shown_record()
    line = int(state.lines[at])
    (features,) = state.features[f"{base.method}/{feature}"]
    return Case(
        tracing=tracing_of(corpus, line, base.store),
        findings=tuple(
            finding
            for task in state.tasks
            for finding in findings(task, task.headline, corpus.classes(task.name), features, at)
        ),
        remarks=remarks_on(corpus, line),
        report=report_of(corpus, line),
        reports=_reports(state, at),
        recordings=_recordings(state, features, at),
        origin=case_facts(state.trained, corpus, line, base, {task.name: _fitted(task) for task in state.tasks}),
    )


def _fitted(task: Task) -> str:
    return (
        f"fitted on {len(task.fit):,} recordings, C = {task.headline.strength:g} chosen and "
        f"probabilities calibrated on {len(task.choose):,}"
    )


def _reports(state: Evaluation, at: int) -> Neighbours | None:
    """Distinct reports of the training folds; None where there is none."""
    ids = np.unique(training_reports(state.corpus))
    if not len(ids):
        return None
    vectors = embed_texts(state, jax.jit(state.trained.method.embed_text), state.trained.variables, ids)
    (aligned,) = state.features[f"{state.base.method}/aligned"]
    among = of_training(state.trained.contract, state.corpus, state.base)
    return nearest_reports(state.corpus, ids, vectors, aligned[at], among)


def _recordings(state: Evaluation, features: np.ndarray, at: int) -> Neighbours | None:
    """Recordings of the fitting folds, by the headline feature as the first task's probe standardises it, or None."""
    folds = probe_folds(state.base.split).fit
    fitted = np.flatnonzero(in_folds(state.corpus.fold[state.lines], folds))
    if not len(fitted):
        return None
    probe = state.tasks[0].headline if state.tasks else None
    mean, std = (probe.mean, probe.std) if probe else moments(features[fitted], "training")
    among = of_training(state.trained.contract, state.corpus, state.base, folds)
    return nearest_recordings(state.corpus, state.lines, state.tasks, (features - mean) / std, fitted, at, among)


def _reconstructions(state: Evaluation) -> tuple[Reconstructed, ...]:
    """The first scored record with patches hidden as in training; nothing for a method that reconstructs nothing."""
    run, corpus = state.trained, state.corpus
    if not hasattr(run.method, "reconstruct"):
        return ()
    line = state.lines[[state.shown_record()]]
    batch, _ = next(iter(build.read_batches(corpus, line, state.table, embedding.EVALUATION_BATCH)))
    masked = masked_by(run, run.config.method.masking)
    draws = jax.jit(masked.draw)(jax.random.key(0), batch, jnp.float32(1))
    made_mv, _, hidden = (part[0] for part in reconstructor(state)(batch, draws))
    tracing = Tracing(
        title=title_of(corpus, int(line[0]), state.base.store),
        subtitle="",
        rate=float(corpus.rate),
        signal_uv=np.asarray(batch.signal[0, :, : made_mv.shape[1]]),
        lead_mask=np.asarray(batch.lead_mask[0]),
    )
    return (Reconstructed(tracing, made_mv, hidden),)
