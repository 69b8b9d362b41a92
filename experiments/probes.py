"""Probe rows of the trained encoder, and of everything that needs no pretraining (the floors)."""

from pathlib import Path

import numpy as np

from cgdmer_jax.evaluation.features import convolve, draw_kernels, hand36
from cgdmer_jax.evaluation.results import paired_row
from cgdmer_jax.evaluation.ridge import fit_ridge
from experiments import build, trained
from experiments.scoring import Evaluation, probe


def probe_trained(state: Evaluation, features: tuple[str, ...], out: Path) -> None:
    run = state.trained
    key = f"{run.checkpoint[:16]}-{state.corpus.fingerprint[:16]}-{'+'.join(features)}"

    def compute():
        return trained.embed(run.method, run.variables, state.corpus, state.lines, state.table, features, "embed")

    made = trained.cached(out / f"features-{key}.npz", compute)
    for place, name in enumerate(features):
        probe(state, [made[name].astype(np.float64)], {"feature": name}, interval=place == 0)


def probe_random(state: Evaluation, feature: str, n_seeds: int, out: Path) -> None:
    """The same architecture with random weights, same pooling and probe."""
    run, made = state.trained, []
    for seed in range(n_seeds):
        key = f"random{seed}-{build.config_sha256(run.config)[:16]}-{state.corpus.fingerprint[:16]}-{feature}"

        def compute(seed=seed):
            variables = trained.random_variables(run, seed)
            label = f"embed, random weights {seed}"
            return trained.embed(run.method, variables, state.corpus, state.lines, state.table, (feature,), label)

        made.append(trained.cached(out / f"features-{key}.npz", compute)[feature].astype(np.float64))
    probe(state, made, {"method": "random_weights", "feature": feature}, interval=True)


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
