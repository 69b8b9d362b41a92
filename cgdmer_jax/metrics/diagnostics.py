"""Two learned parts compared: rank, linear predictability, modality gap, alignment. Pure maths on arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int, Int16
from scipy.special import logsumexp

from cgdmer_jax.metrics.metrics import auroc
from cgdmer_jax.metrics.probe import fit_probe
from cgdmer_jax.metrics.retrieval import ranks_of_own
from cgdmer_jax.metrics.standardise import training_moments

PENALTIES = (1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5)  # scikit-learn's alpha, on standardised features
RECALL_AT = 10
ROUNDING = 1e-6  # a feature of float32 that varies by less, relative to its size, is constant


class Rank(NamedTuple):
    """`effective`: exp of the entropy of the singular values over their sum (Roy and Vetterli 2007).

    `stable`: squared Frobenius norm over squared spectral norm. Both of the centred features; 0 if constant.
    """

    effective: float
    stable: float


def rank(x: Float[np.ndarray, "record feature"]) -> Rank:
    centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    singular = np.linalg.svd(centred, compute_uv=False)
    singular = singular[singular > ROUNDING * np.linalg.norm(x)]
    if not len(singular):
        return Rank(0.0, 0.0)
    share = singular / singular.sum()
    return Rank(float(np.exp(-(share * np.log(share)).sum())), float((singular**2).sum() / singular[0] ** 2))


@dataclass(frozen=True)
class Regression:
    """Ridge regression of one or several targets; `weights` act on standardised features."""

    weights: Float64[np.ndarray, "feature target"]
    bias: Float64[np.ndarray, "target"]
    mean: Float64[np.ndarray, "feature"]
    std: Float64[np.ndarray, "feature"]
    penalty: float

    def predict(self, x: Float[np.ndarray, "record feature"]) -> Float64[np.ndarray, "record target"]:
        return (x - self.mean) / self.std @ self.weights + self.bias


def fit_regression(
    x_fit: Float[np.ndarray, "record feature"],
    y_fit: Float[np.ndarray, "record target"],
    x_choose: Float[np.ndarray, "other feature"],
    y_choose: Float[np.ndarray, "other target"],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Regression:
    """Keeps the penalty of least squared error on the `choose` records."""
    mean, std = training_moments(x_fit, x_choose)
    standard = (x_fit.astype(np.float64) - mean) / std
    bias = y_fit.mean(0, dtype=np.float64)
    values, axes = np.linalg.eigh(standard.T @ standard)
    right = axes.T @ (standard.T @ (y_fit - bias))
    made = [Regression(axes @ (right / (values + p)[:, None]), bias, mean, std, float(p)) for p in penalties]
    return made[int(np.argmin([((one.predict(x_choose) - y_choose) ** 2).sum() for one in made]))]


def r_squared_samples(
    y: Float[np.ndarray, "record target"],
    predicted: Float[np.ndarray, "record target"],
    weights: Int16[np.ndarray, "resample record"],
) -> Float64[np.ndarray, "resample"]:
    """Share of the variance explained in every bootstrap resample, targets pooled; NaN where there is none."""
    centred = y.astype(np.float64) - y.mean(0, dtype=np.float64)  # so that the sums below do not cancel
    counts = weights.astype(np.float64)
    error = counts @ ((predicted - y) ** 2).sum(1)
    total = counts @ (centred**2).sum(1) - ((counts @ centred) ** 2).sum(1) / counts.sum(1)
    return np.divide(total - error, total, out=np.full(len(weights), np.nan), where=total > 0)


def r_squared(y: Float[np.ndarray, "record target"], predicted: Float[np.ndarray, "record target"]) -> float:
    """1 less squared error over variance: below 0 is worse than the mean of y."""
    return float(r_squared_samples(y, predicted, np.ones((1, len(y)), np.int16))[0])


class FeatureSplits(NamedTuple):
    """Features of one kind by the role of their records; no patient is in two of them."""

    fit: Float[np.ndarray, "record_fit feature"]
    choose: Float[np.ndarray, "record_choose feature"]
    score: Float[np.ndarray, "record_score feature"]

    def shifted(self, by: Float64[np.ndarray, "feature"]) -> "FeatureSplits":
        return FeatureSplits(*(x - by for x in self))


def predictability(x: FeatureSplits, y: FeatureSplits) -> float:
    """Held-out R^2 of y from x by ridge, every column of y standardised, so that each counts alike."""
    mean, std = training_moments(y.fit, y.choose)
    fit, choose, score = ((part - mean) / std for part in y)
    return r_squared(score, fit_regression(x.fit, fit, x.choose, choose).predict(x.score))


class Gap(NamedTuple):
    """Distance between two modalities on held-out records (Liang et al. 2022)."""

    distance: float  # between the centroids
    spread: float  # root mean square distance of a vector to its own modality's centroid: what to compare with
    classifier_auroc: float  # of a logistic classifier of the modality; 0.5 = not told apart
    classifier_accuracy: float


def modality_gap(ecg: FeatureSplits, text: FeatureSplits) -> Gap:
    """The gap as it is; after `centred` of both it is what a shift does not explain."""
    between = np.linalg.norm(ecg.score.mean(0, dtype=np.float64) - text.score.mean(0, dtype=np.float64))
    spread = np.sqrt(np.mean([_mean_square_distance(ecg.score), _mean_square_distance(text.score)]))
    both = [np.concatenate(pair) for pair in zip(ecg, text, strict=True)]
    is_ecg = [np.arange(len(x))[:, None] < len(e) for x, e in zip(both, ecg, strict=True)]
    probability = fit_probe(both[0], is_ecg[0], both[1], is_ecg[1]).scores(both[2])
    accuracy = ((probability > 0.5) == is_ecg[2]).mean()
    return Gap(float(between), float(spread), float(auroc(probability, is_ecg[2])[0]), float(accuracy))


def centred(draws: FeatureSplits) -> FeatureSplits:
    """Less the mean of the `fit` records."""
    return draws.shifted(draws.fit.mean(0, dtype=np.float64))


class Aligned(NamedTuple):
    """Each recording against a gallery of distinct reports."""

    loss: Float64[np.ndarray, "record"]  # -log of the softmax share of the own report (InfoNCE, ECG to text)
    rank: Float64[np.ndarray, "record"]  # 1 = the own report is the most similar; a tie counts half


def alignment_of_records(
    ecg: Float[np.ndarray, "record embedding"],
    gallery: Float[np.ndarray, "text embedding"],
    own: Int[np.ndarray, "record"],
    temperature: float,
) -> Aligned:
    """`own` is where each recording's report stands in the gallery; all vectors of unit length."""
    similarity = ecg.astype(np.float64) @ gallery.T.astype(np.float64)
    mine = similarity[np.arange(len(own)), own]
    loss = logsumexp(similarity / temperature, axis=1) - mine / temperature
    return Aligned(loss, ranks_of_own(similarity, own[:, None] == np.arange(len(gallery))))


def by_length(length: Int[np.ndarray, "record"], aligned: Aligned) -> list[dict[str, float | int]]:
    """Loss and retrieval in quartiles of the report length (word pieces); equal lengths stay together."""
    edges = np.quantile(length, [0.25, 0.5, 0.75], method="inverted_cdf")
    quartile = np.searchsorted(edges, length)  # a length on an edge belongs below it
    rows = []
    for number in np.unique(quartile):
        of = quartile == number
        ranks = aligned.rank[of]
        rows.append(
            {
                "quartile": int(number) + 1,
                "shortest": int(length[of].min()),
                "longest": int(length[of].max()),
                "n": int(of.sum()),
                "loss": float(aligned.loss[of].mean()),
                "median_rank": float(np.median(ranks)),
                "recall_at_10": float((ranks <= RECALL_AT).mean()),
            }
        )
    return rows


def _mean_square_distance(x):
    return ((x - x.mean(0, dtype=np.float64)) ** 2).sum(1).mean()
