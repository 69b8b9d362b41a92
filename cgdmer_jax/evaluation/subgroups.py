"""The headline probe by sex, age and device: discrimination and calibration of each group of scored records."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cgdmer_jax.evaluation.embedded import Headline
from cgdmer_jax.evaluation.outcome import Outcome
from cgdmer_jax.evaluation.subject import Subject
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.results import rows_for_scores

AGES = {"age<40": (0, 40), "age=40-64": (40, 65), "age>=65": (65, np.inf)}
LEAST = 50  # scored records of a device; those with fewer are one group


def score_groups(subject: Subject, headline: Headline) -> Outcome:
    """Rows of classes with at least 10 positives in the group, and the two macros; intervals of the macro AUROC."""
    rows = []
    for task in subject.tasks:
        probe = headline.probes[task.name]
        scores, labels = probe.scores(headline.x[task.score]), task.labels[task.score]
        setting = replace(subject.base, task=task.name, feature=headline.feature, feature_dim=headline.x.shape[1])
        people = [subject.corpus.column(name)[subject.lines[task.score]] for name in ("sex", "age", "device")]
        for group, members in groups_of(*people).items():
            scored = rows_for_scores(
                replace(setting, group=group),
                [scores[members]],
                labels[members],
                task.classes,
                probabilities=True,
                defined=probe.fitted,
                weights=np.ascontiguousarray(task.weights[:, members]),
                macro_only=True,
            )
            rows += [r for r in scored.rows if _is_macro(r) or r["n_positive"] >= ENOUGH_POSITIVES]
    return Outcome(tuple(rows))


def groups_of(
    sex: Shaped[np.ndarray, "record"], age: Float[np.ndarray, "record"], device: Shaped[np.ndarray, "record"]
) -> dict[str, Bool[np.ndarray, "record"]]:
    """Members of each group; every record is in one group of sex, of age (years) and of device."""
    named = {"sex": np.array(_words(sex), object), "device": np.array(_words(device), object)}
    device, counts = np.unique(named["device"], return_counts=True)
    named["device"][np.isin(named["device"], device[counts < LEAST])] = "other"
    groups = {f"sex={value}": named["sex"] == value for value in np.unique(named["sex"])}
    groups |= {name: (age >= low) & (age < high) for name, (low, high) in AGES.items()} | {"age=unknown": np.isnan(age)}
    groups |= {f"device={value}": named["device"] == value for value in np.unique(named["device"])}
    return {name: members for name, members in groups.items() if members.any()}


def _words(values: np.ndarray) -> list[str]:
    return [" ".join(str(value).split()) if value else "unknown" for value in values]


def _is_macro(row: dict) -> bool:
    return row["class"].startswith("macro_")
