"""Probe rows of the trained encoder and of the same architecture with random weights."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from cgdmer_jax.evaluation.embedded import Embedded, Headline, fit_probes
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.metrics.probe import Probe
from cgdmer_jax.metrics.results import Setting


def score_probes(subject: Subject, embedded: Embedded, headline: Headline, features: tuple[str, ...]) -> Outcome:
    """The trained encoder, every feature; then the same architecture with random weights, the headline feature."""
    made, tasks = [], subject.tasks
    for name in features:
        x, setting, first = embedded.own[name], replace(subject.base, feature=name), name == headline.feature
        probes = [headline.probes[t.name] for t in tasks] if first else fit_probes([(t, x) for t in tasks])
        made += [_score(setting, task, [probe], [x], interval=first) for task, probe in zip(tasks, probes, strict=True)]
    if embedded.random:
        setting = replace(subject.base, method="random_weights", feature=headline.feature)
        made.append(fit_and_score(setting, subject.tasks, [of_seed[headline.feature] for of_seed in embedded.random]))
    return together(made)


def fit_and_score(
    setting: Setting, tasks: Sequence[Task], seeds: Sequence[Float[np.ndarray, "record feature"]]
) -> Outcome:
    """Probes one feature (one array a seed) on every task, with intervals."""
    probes = iter(fit_probes([(task, x) for task in tasks for x in seeds]))
    of_tasks = [(task, [next(probes) for _ in seeds]) for task in tasks]
    return together(_score(setting, task, of_seeds, seeds, interval=True) for task, of_seeds in of_tasks)


def _score(
    setting: Setting,
    task: Task,
    probes: Sequence[Probe],
    seeds: Sequence[Float[np.ndarray, "record feature"]],
    *,
    interval: bool,
) -> Outcome:
    return score(
        replace(setting, task=task.name, feature_dim=seeds[0].shape[1]),
        [fitted.scores(x[task.score]) for fitted, x in zip(probes, seeds, strict=True)],
        task.labels[task.score],
        task.classes,
        probabilities=True,
        defined=np.all([fitted.fitted for fitted in probes], axis=0),
        weights=task.weights if interval else None,
    )
