"""Reconstruction of hidden patches in millivolts, strategy by strategy, beside the best linear guess."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float32
from ml_collections import ConfigDict

from cgdmer_jax import provenance
from cgdmer_jax.batch import Batch
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.evaluation.outcome import Outcome, together, without
from cgdmer_jax.evaluation.subject import Subject
from cgdmer_jax.methods.batched import records_at_once
from cgdmer_jax.methods.protocol import Draws, Method, Variables
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.linear_interpolation import fit_interpolation, interpolate
from cgdmer_jax.metrics.reconstruction import pearson, rmse, split_hidden, sums_of_records, without_hidden
from cgdmer_jax.metrics.results import Setting, plain_row
from cgdmer_jax.models.masking.slots import STRATEGIES
from cgdmer_jax.recipes import build, trained_run

N_SCORED = 512
N_FITTED = 2048  # training recordings of the linear guess's covariance
SAME_SAMPLE, WINDOW = "linear_same_sample", "linear_window"  # from other leads alone; with the patch before and after
NO_FLOORS = ("linear guesses of part reconstruction", "no recording to fit them on has twelve whole leads")
FIGURES = {"rmse_mv": rmse, "pearson_r": pearson}
# batch, draws -> (millivolts, visible, hidden) [batch, lead, sample or patch]
Reconstruct = Callable[[Batch, Draws], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class HiddenPatches:
    """Recordings with some patches hidden, and what the run's method puts there."""

    true_mv: Float32[np.ndarray, "record lead time"]
    visible: Bool[np.ndarray, "record lead patch"]
    hidden: Bool[np.ndarray, "record lead patch"]
    made_mv: Float32[np.ndarray, "record lead time"]


def score_reconstruction(subject: Subject, reconstruct: Reconstruct | None) -> Outcome:
    """Rows of the first 512 scored records; nothing for a method that reconstructs nothing."""
    if reconstruct is None:
        return without("part reconstruction", f"{subject.base.method} reconstructs nothing")
    at = subject.scored_records()[:N_SCORED]
    patients = subject.corpus.patient_id[subject.lines[at]]
    weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0).astype(np.float64)
    floors, made = None, []
    for strategy in STRATEGIES:
        found = _of_method(subject, reconstruct, masked_by(subject.trained, strategy), at)
        if floors is None:
            floors = _fit_floors(subject, found)
            made += [] if floors else [without(*NO_FLOORS)]
        made_mv = {subject.base.method: found.made_mv, **_of_floors(floors, found)}
        made.append(Outcome(tuple(_rows(subject, strategy, found, made_mv, weights))))
    return together(made)


def masked_by(run: trained_run.Trained, strategy: str) -> Method:
    """The run's method with another masking strategy and no lead left out for good; the weights fit it."""
    config = ConfigDict(run.config.to_dict())
    config.method.masking = strategy
    config.method.lead_dropout = 0.0
    return build.make_method(config, run.contract, run.tokenizer)


def reconstructor(method: Method, variables: Variables, n_samples: int) -> Reconstruct | None:
    """Made once an evaluation of recordings of `n_samples`; None of a method that reconstructs nothing.

    Scaling, encoder and decoder are the same whatever was hidden, so that it compiles once. No hidden sample is read.
    """
    if not method.declared.reconstructs:
        return None
    hidden_by = jax.jit(lambda variables, batch, draws: method.reconstruct(variables, batch, draws).hidden)
    reconstruct = jax.jit(method.reconstruct)

    def reconstructed(batch: Batch, draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        hidden = np.asarray(hidden_by(variables, batch, draws))
        patch_samples = n_samples // hidden.shape[2]
        ends = (np.arange(hidden.shape[2]) + 1) * patch_samples
        visible = batch.lead_mask[:, :, None] & (ends <= batch.length[:, None, None]) & ~hidden
        safe = batch._replace(signal=without_hidden(batch.signal, visible, hidden))
        return np.asarray(reconstruct(variables, safe, draws).signal_mv), visible, hidden

    return reconstructed


def _of_method(subject: Subject, reconstruct: Reconstruct, masked: Method, at: np.ndarray) -> HiddenPatches:
    draw = jax.jit(masked.draw)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("true", "made", "visible", "hidden")}
    batches = build.read_batches(subject.corpus, subject.lines[at], subject.table, records_at_once())
    for number, (batch, n_real) in enumerate(batches):
        draws = draw(jax.random.fold_in(jax.random.key(0), number), batch, jnp.float32(1))
        made, visible, hidden = reconstruct(batch, draws)
        true = batch.signal[:, :, : made.shape[2]] * np.float32(1e-3)
        for name, value in zip(parts, (true, made, visible, hidden), strict=True):
            parts[name].append(value[:n_real])
    whole = {name: np.concatenate(values) for name, values in parts.items()}
    return HiddenPatches(whole["true"], whole["visible"], whole["hidden"], whole["made"])


def _fit_floors(subject: Subject, found: HiddenPatches) -> dict:
    """Both linear guesses, from whole recordings of the folds that probes are fitted on, taken evenly.

    Neither where the store has no whole recording there, as one of eight leads.
    """
    corpus, n = subject.corpus, found.true_mv.shape[2]
    whole = in_folds(corpus.fold, probe_folds(subject.base.split).fit) & corpus.lead_mask.all(1) & (corpus.length >= n)
    lines = np.flatnonzero(whole)
    if not len(lines):
        return {}
    lines = lines[np.unique(np.linspace(0, len(lines) - 1, min(N_FITTED, len(lines))).astype(int))]
    signal_mv = corpus.read(lines)[:, :, :n] * np.float32(1e-3)
    patch_samples = n // found.hidden.shape[2]
    return {
        SAME_SAMPLE: fit_interpolation(signal_mv, patch_samples=1, reach=0),
        WINDOW: fit_interpolation(signal_mv, patch_samples=patch_samples, reach=1),
    }


def _of_floors(floors: dict, found: HiddenPatches) -> dict[str, np.ndarray]:
    samples = np.repeat(found.visible, found.true_mv.shape[2] // found.visible.shape[2], axis=2)
    seen = {SAME_SAMPLE: samples, WINDOW: found.visible}
    threads = provenance.n_cpus()
    return {name: interpolate(fitted, found.true_mv, seen[name], n_threads=threads) for name, fitted in floors.items()}


def _rows(
    subject: Subject, strategy: str, found: HiddenPatches, made_mv: dict[str, np.ndarray], weights: np.ndarray
) -> list[dict]:
    """Rows of every method and kind of hidden patch, and the paired difference of the error to each linear guess."""
    own, rows = subject.base.method, []
    for kind, chosen in split_hidden(found.hidden, found.visible).items():
        # Absent and unmeasured samples are in no sum, whatever a method puts there.
        sums = {name: sums_of_records(found.true_mv, made, chosen) for name, made in made_mv.items()}
        counts = {"n": len(chosen), "n_positive": int(chosen.sum())}
        for name, of_records in sums.items():
            setting = _setting(subject, name, strategy)
            for metric, figure in FIGURES.items():
                interval = bootstrap.interval(figure(weights @ of_records))
                value = float(figure(of_records.sum(0)))
                rows.append(plain_row(setting, metric, kind, value, interval=interval, **counts))
        for floor in [name for name in sums if name != own]:
            value = float(rmse(sums[own].sum(0)) - rmse(sums[floor].sum(0)))
            interval = bootstrap.interval(rmse(weights @ sums[own]) - rmse(weights @ sums[floor]))
            setting = _setting(subject, own, strategy)
            rows.append(plain_row(setting, f"rmse_mv_minus_{floor}", kind, value, interval=interval, **counts))
    return rows


def _setting(subject: Subject, method: str, strategy: str) -> Setting:
    return replace(
        subject.base, evaluation="reconstruction", task="signal", method=method, variant=strategy, supervision="none"
    )
