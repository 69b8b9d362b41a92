"""Probe rows of the trained encoder, and of everything that needs no pretraining (the floors)."""

from pathlib import Path

import numpy as np

from cgdmer_jax.evaluation.features import convolve, draw_kernels, hand36
from cgdmer_jax.evaluation.results import paired_row
from cgdmer_jax.evaluation.ridge import fit_ridge
from cgdmer_jax.methods.protocol import Variables
from experiments import build, trained
from experiments.scoring import Evaluation, probe


def probe_encoders(state: Evaluation, features: tuple[str, ...], n_random: int, out: Path) -> None:
    """The trained encoder, every feature; then the same architecture with random weights, the headline feature."""
    run, headline = state.trained, features[0]
    features_of = trained.embedder(run.method, features)
    tail = f"{state.corpus.fingerprint[:16]}-{'+'.join(features)}"

    def made(key: str, variables: Variables, label: str) -> trained.Features:
        def compute() -> trained.Features:
            return trained.embed(features_of, variables, state.corpus, state.lines, state.table, label)

        return trained.cached(out / f"features-{key}-{tail}.npz", compute)

    own = made(run.checkpoint[:16], run.variables, "embed")
    for name in features:
        probe(state, [own[name].astype(np.float64)], {"feature": name}, interval=name == headline)

    config = build.config_sha256(run.config)[:16]
    random = [
        made(f"random{seed}-{config}", trained.random_variables(run, seed), f"embed, random weights {seed}")
        for seed in range(n_random)
    ]
    seeds = [features_[headline].astype(np.float64) for features_ in random]
    probe(state, seeds, {"method": "random_weights", "feature": headline}, interval=True)


def add_floors(state: Evaluation, n_kernels: int) -> None:
    """Random convolutions + ridge, and a logistic regression on 36 amplitudes."""
    corpus, lines = state.corpus, state.lines
    signal = corpus.read(lines)
    plain = hand36(signal, corpus.lead_mask[lines], corpus.length[lines]).astype(np.float64)
    probe(state, [plain], {"method": "hand36", "feature": "hand36"}, interval=True)
    fit = np.unique(np.concatenate([task.fit for task in state.tasks]))
    kernels = draw_kernels(signal[fit], n_kernels=n_kernels, seed=0)
    made = convolve(kernels, signal, n_threads=build.n_cpus())
    setting = {"method": "random_convolutions", "feature": "ridge", "feature_dim": made.shape[1]}
    for task in state.tasks:
        fitted = fit_ridge(made[task.fit], task.labels[task.fit], made[task.choose], task.labels[task.choose])
        scores = [fitted.scores(made[task.score])]
        state.add(task, scores, setting=setting, probabilities=False, defined=fitted.fitted)


def add_differences(state: Evaluation, feature: str) -> None:
    """Paired differences of the headline probe to each floor."""
    for task in state.tasks:
        own = task.scored[f"probe/{state.base.method}/{feature}"]
        for floor in (f"random_weights/{feature}", "random_convolutions/ridge", "hand36/hand36"):
            variant = "minus_" + floor.split("/")[0]
            state.rows.append(paired_row(own, task.scored[f"probe/{floor}"], variant=variant))
