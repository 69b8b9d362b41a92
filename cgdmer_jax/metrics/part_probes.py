"""Probes of what one part of the features holds and another does not, paired over patients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int16

from cgdmer_jax.metrics import bootstrap, metrics
from cgdmer_jax.metrics.diagnostics import fit_regression, r_squared, r_squared_samples
from cgdmer_jax.metrics.probe import fit_probe

PARTS = ("shared", "specific", "both")


@dataclass(frozen=True)
class Roles:
    """Records of one target by role, as positions, and the bootstrap over the scored patients."""

    fit: Int[np.ndarray, "record_fit"]
    choose: Int[np.ndarray, "record_choose"]
    score: Int[np.ndarray, "record_score"]
    weights: Int16[np.ndarray, "resample record_score"]


class Probed(NamedTuple):
    """A figure of merit of one probe and its bootstrap samples."""

    value: float
    samples: Float[np.ndarray, "resample"]
    mean_absolute_error: float | None = None  # of a regression, in the unit of its target
    n_classes: int | None = None  # in the macro AUROC of a classification


def probe_value(x: Float[np.ndarray, "record feature"], y: Float[np.ndarray, "record"], roles: Roles) -> Probed:
    """R^2 of a ridge regression of one number a record."""
    column = y[:, None].astype(np.float64)
    fitted = fit_regression(x[roles.fit], column[roles.fit], x[roles.choose], column[roles.choose])
    predicted, truth = fitted.predict(x[roles.score]), column[roles.score]
    samples = r_squared_samples(truth, predicted, roles.weights)
    return Probed(r_squared(truth, predicted), samples, float(np.abs(predicted - truth).mean()))


def probe_classes(
    x: Float[np.ndarray, "record feature"], labels: Bool[np.ndarray, "record klass"], roles: Roles
) -> Probed:
    """Macro AUROC of a logistic regression over the classes with enough scored positives."""
    fitted = fit_probe(x[roles.fit], labels[roles.fit], x[roles.choose], labels[roles.choose])
    scores, truth = fitted.scores(x[roles.score]), labels[roles.score]
    kept = fitted.fitted & (truth.sum(0) >= metrics.ENOUGH_POSITIVES)
    samples = metrics.macro(bootstrap.bootstrap_auroc(scores, truth, roles.weights), kept)
    return Probed(float(metrics.macro(metrics.auroc(scores, truth), kept)), samples, n_classes=int(kept.sum()))


def compare(
    features: Mapping[str, Float[np.ndarray, "record feature"]],
    target: str,
    y: Float[np.ndarray, "record"] | Bool[np.ndarray, "record klass"],
    roles: Roles,
) -> dict[str, object]:
    """One row: the figure of shared, specific and both with intervals, and both less shared, paired."""
    number = y.ndim == 1
    made = {part: (probe_value if number else probe_classes)(features[part], y, roles) for part in PARTS}
    row: dict[str, object] = {"target": target, "metric": "r2" if number else "auroc", "n": len(roles.score)}
    row["n_classes"] = made["both"].n_classes
    for part, probed in made.items():
        low, high = bootstrap.interval(probed.samples)
        row |= {part: probed.value, f"{part}_low": low, f"{part}_high": high}
        row[f"{part}_mean_absolute_error"] = probed.mean_absolute_error
    low, high = bootstrap.interval(made["both"].samples - made["shared"].samples)
    return row | {"difference": made["both"].value - made["shared"].value, "low": low, "high": high}
