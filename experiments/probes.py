"""Probe rows of the trained encoder, and of everything that needs no pretraining (the floors)."""

import numpy as np

from cgdmer_jax.evaluation.features import convolve, draw_kernels, hand36
from cgdmer_jax.evaluation.results import paired_row
from cgdmer_jax.evaluation.ridge import fit_ridge
from cgdmer_jax.methods.protocol import Variables
from experiments import build, trained
from experiments.scoring import Evaluation, Plan, probe

CONVOLUTIONS = "random_convolutions/ridge"


def embed_encoders(state: Evaluation, plan: Plan) -> None:
    """Features of the trained encoder and of the same architecture with random weights, cached in plan.cache."""
    run = state.trained
    names = tuple(dict.fromkeys((*plan.features, "aligned")))
    state.features_of = trained.embedder(run.method, names)
    tail = f"{state.corpus.fingerprint[:16]}-{'+'.join(names)}"

    def made(key: str, variables: Variables, label: str) -> trained.Features:
        def compute() -> trained.Features:
            return trained.embed(state.features_of, variables, state.corpus, state.lines, state.table, label)

        return trained.cached(plan.cache / f"features-{key}-{tail}.npz", state.lines, compute)

    own = made(run.checkpoint[:16], run.variables, "embed")
    config = build.config_sha256(run.config)[:16]
    random = [
        made(f"random{seed}-{config}", trained.random_variables(run, seed), f"embed, random weights {seed}")
        for seed in range(plan.random_seeds)
    ]
    for method, seeds in ((state.base.method, [own]), ("random_weights", random)):
        for name in names if seeds else ():
            state.features[f"{method}/{name}"] = [features[name].astype(np.float64) for features in seeds]


def probe_encoders(state: Evaluation, plan: Plan) -> None:
    """The trained encoder, every feature; then the same architecture with random weights, the headline feature."""
    embed_encoders(state, plan)
    headline = plan.features[0]
    for name in plan.features:
        seeds = state.features[f"{state.base.method}/{name}"]
        probes = probe(state, seeds, {"feature": name}, interval=name == headline)
        if name == headline:
            for task, (fitted,) in zip(state.tasks, probes, strict=True):
                task.headline = fitted
    if plan.random_seeds:
        setting = {"method": "random_weights", "feature": headline}
        probe(state, state.features[f"random_weights/{headline}"], setting, interval=True)


def add_floors(state: Evaluation, plan: Plan) -> None:
    """Random convolutions + ridge, and a logistic regression on 36 amplitudes."""
    corpus, lines = state.corpus, state.lines
    plain = hand36(corpus.read(lines), corpus.lead_mask[lines], corpus.length[lines]).astype(np.float64)
    probe(state, [plain], {"method": "hand36", "feature": "hand36"}, interval=True)
    made = convolutions(state, plan.kernels)
    setting = {"method": "random_convolutions", "feature": "ridge", "feature_dim": made.shape[1]}
    for task in state.tasks:
        fitted = fit_ridge(made[task.fit], task.labels[task.fit], made[task.choose], task.labels[task.choose])
        scores = [fitted.scores(made[task.score])]
        state.add(task, scores, setting=setting, probabilities=False, defined=fitted.fitted)


def convolutions(state: Evaluation, n_kernels: int) -> np.ndarray:
    """Random convolution features [embedded record, feature], made once an evaluation."""
    if CONVOLUTIONS not in state.features:
        signal = state.corpus.read(state.lines)
        fit = np.unique(np.concatenate([task.fit for task in state.tasks]))
        kernels = draw_kernels(signal[fit], n_kernels=n_kernels, seed=0)
        state.features[CONVOLUTIONS] = [convolve(kernels, signal, n_threads=build.n_cpus())]
    return state.features[CONVOLUTIONS][0]


def add_differences(state: Evaluation, feature: str) -> None:
    """Paired differences of the headline probe to each floor that was made, at each share of the labels."""
    for task in state.tasks:
        for floor in (f"random_weights/{feature}", CONVOLUTIONS, "hand36/hand36"):
            for name, scored in task.scored.items():
                start = f"probe/{floor}"
                own = task.scored.get(name.replace(start, f"probe/{state.base.method}/{feature}"))
                if name.startswith(start) and own is not None:
                    variant = "minus_" + floor.split("/")[0]
                    state.rows.append(paired_row(own, scored, variant=variant))
