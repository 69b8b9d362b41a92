"""The headline probe by sex, age and device: discrimination and calibration of each group of scored records."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int64

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.results import rows_for_scores

AGES = {"age<40": (0, 40), "age=40-64": (40, 65), "age>=65": (65, np.inf)}
LEAST = 50  # scored records of a device; those with fewer are one group


def add_groups(state: Evaluation, plan: Plan) -> None:
    """Rows of classes with at least 10 positives in the group, and the two macros; intervals of the macro AUROC."""
    headline = plan.features[0]
    for task in state.tasks:
        scores, labels = task.headline.scores(_features(state, headline)[task.score]), task.labels[task.score]
        for group, members in groups_of(state.corpus, state.lines[task.score]).items():
            setting = replace(
                state.base,
                task=task.name,
                feature=headline,
                feature_dim=_features(state, headline).shape[1],
                group=group,
            )
            scored = rows_for_scores(
                setting,
                [scores[members]],
                labels[members],
                task.classes,
                probabilities=True,
                defined=task.headline.fitted,
                weights=np.ascontiguousarray(task.weights[:, members]),
                macro_only=True,
            )
            state.rows += [r for r in scored.rows if _is_macro(r) or r["n_positive"] >= ENOUGH_POSITIVES]


def groups_of(corpus: Corpus, lines: Int64[np.ndarray, "record"]) -> dict[str, Bool[np.ndarray, "record"]]:
    """Which of these records belong to each group; every record is in one group of sex, of age and of device."""
    named = {name: np.array(_words(corpus.column(name)[lines]), object) for name in ("sex", "device")}
    device, counts = np.unique(named["device"], return_counts=True)
    named["device"][np.isin(named["device"], device[counts < LEAST])] = "other"
    age = corpus.column("age")[lines].astype(np.float64)
    groups = {f"sex={value}": named["sex"] == value for value in np.unique(named["sex"])}
    groups |= {name: (age >= low) & (age < high) for name, (low, high) in AGES.items()} | {"age=unknown": np.isnan(age)}
    groups |= {f"device={value}": named["device"] == value for value in np.unique(named["device"])}
    return {name: members for name, members in groups.items() if members.any()}


def _words(values: np.ndarray) -> list[str]:
    return [" ".join(str(value).split()) if value else "unknown" for value in values]


def _features(state: Evaluation, headline: str) -> np.ndarray:
    return state.features[f"{state.base.method}/{headline}"][0]


def _is_macro(row: dict) -> bool:
    return row["class"].startswith("macro_")
