"""Probe rows of the trained encoder, and of everything that needs no pretraining (the floors)."""

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan, probe
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.recipes import embedding, trained_run


def embed_encoders(state: Evaluation, plan: Plan) -> None:
    """Features of the trained encoder and of the same architecture with random weights, cached in plan.cache."""
    run = state.trained
    with_texts = ("aligned",) if run.method.declared.text else ()
    names = tuple(dict.fromkeys((*plan.features, *with_texts)))
    state.features_of = embedding.embedder(run.method, names)
    tail = f"{state.corpus.fingerprint[:16]}-{'+'.join(names)}"

    def made(key: str, variables: Variables, label: str) -> embedding.Features:
        def compute() -> embedding.Features:
            return embedding.embed(state.features_of, variables, state.corpus, state.lines, state.table, label)

        return embedding.cached(plan.cache / f"features-{key}-{tail}.npz", state.lines, compute)

    own = made(run.checkpoint[:16], run.variables, "embed")
    config = provenance.config_sha256(run.config)[:16]
    random = [
        made(f"random{seed}-{config}", trained_run.random_variables(run, seed), f"embed, random weights {seed}")
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
