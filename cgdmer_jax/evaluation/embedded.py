"""Features of the records of an evaluation, made once and cached, and the probes of the headline feature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float64

from cgdmer_jax import provenance
from cgdmer_jax.evaluation.in_threads import in_threads
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.metrics.probe import Probe, fit_probe
from cgdmer_jax.recipes import embedding, trained_run

FeatureArray = Float64[np.ndarray, "record feature"]


@dataclass(frozen=True)
class Embedded:
    """Features by name of every embedded record: of the trained encoder, and of its architecture with random weights.

    `aligned`, the vectors that are compared with reports, is always among those of a method that reads text.
    """

    features_of: Callable  # variables, batch -> the same features; compiled
    texts_of: (
        Callable | None
    )  # variables, tokens, their mask -> vectors beside `aligned`; None of a method without text
    own: dict[str, FeatureArray]
    random: tuple[dict[str, FeatureArray], ...]  # one a seed: 0, 1, ...

    @property
    def aligned_width(self) -> int:
        return self.own["aligned"].shape[1]


@dataclass(frozen=True)
class Headline:
    """The feature that most figures are of, and its fitted probe of each task."""

    feature: str
    x: FeatureArray  # of every embedded record
    probes: dict[str, Probe]  # by the task's name


def embed_records(subject: Subject, features: tuple[str, ...], random_seeds: int, cache: Path) -> Embedded:
    """The trained encoder and the same architecture with random weights; `cache` keeps what was made before."""
    run = subject.trained
    with_texts = ("aligned",) if run.method.declared.text else ()
    names = tuple(dict.fromkeys((*features, *with_texts)))
    features_of = embedding.embedder(run.method, names)
    tail = f"{subject.corpus.fingerprint[:16]}-{'+'.join(names)}"

    def made(key: str, variables: Variables, label: str) -> dict[str, FeatureArray]:
        def compute() -> embedding.Features:
            return embedding.embed(features_of, variables, subject.corpus, subject.lines, subject.table, label)

        found = embedding.cached(cache / f"features-{key}-{tail}.npz", subject.lines, names, compute)
        return {name: found[name].astype(np.float64) for name in names}

    own = made(run.checkpoint[:16], run.variables, "embed")
    config = provenance.config_sha256(run.config)[:16]
    random = [
        made(f"random{seed}-{config}", trained_run.random_variables(run, seed), f"embed, random weights {seed}")
        for seed in range(random_seeds)
    ]
    texts_of = jax.jit(run.method.embed_text) if run.method.declared.text else None
    return Embedded(features_of, texts_of, own, tuple(random))


def fit_headline(subject: Subject, embedded: Embedded, feature: str) -> Headline:
    """Fits the probe of each task on the trained encoder's feature."""
    x = embedded.own[feature]
    probes = fit_probes([(task, x) for task in subject.tasks])
    return Headline(feature, x, {task.name: probe for task, probe in zip(subject.tasks, probes, strict=True)})


def fit_probes(wanted: Sequence[tuple[Task, FeatureArray]]) -> list[Probe]:
    """Each fitted on the task's records to fit on, its strength chosen on those to choose on."""

    def fit(one: tuple[Task, FeatureArray]) -> Probe:
        task, x = one
        return fit_probe(x[task.fit], task.labels[task.fit], x[task.choose], task.labels[task.choose])

    return in_threads(fit, wanted)
