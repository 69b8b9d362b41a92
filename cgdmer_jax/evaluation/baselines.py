"""Baselines without pretraining: random weights, amplitudes, random convolutions."""

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan, probe
from cgdmer_jax.metrics.features import convolve, draw_kernels, hand36
from cgdmer_jax.metrics.results import paired_row
from cgdmer_jax.metrics.ridge import fit_ridge

CONVOLUTIONS = "random_convolutions/ridge"


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
        state.features[CONVOLUTIONS] = [convolve(kernels, signal, n_threads=provenance.n_cpus())]
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
