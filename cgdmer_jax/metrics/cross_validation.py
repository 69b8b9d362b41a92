"""Cross-validation by patient: every record is scored by probes that saw none of its patient."""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.probe import STRENGTHS, ProbePath, fit_probe_path

LEAST_FOLDS = 3  # one is scored, and the others are cross-validated to choose the penalty


class CrossValidated(NamedTuple):
    """Probes of a whole set of records, cross-validated under several draws of the folds.

    `probabilities`: of each record in each draw, by the probe of the other folds, whose strength was chosen in those
    too: what a new patient may expect. `logits`: the same at the one strength that is best over all folds of all draws,
    for calibration. `path`, `strength`: the probe fitted on all records, and which of its strengths that is.
    `learned`: False of a class that some fold's probe could not learn, as all its positives (or negatives) lie in that
    fold; its scores say nothing of a new patient.
    """

    probabilities: Float64[np.ndarray, "draw record klass"]
    logits: Float64[np.ndarray, "draw record klass"]
    path: ProbePath
    strength: int
    learned: Bool[np.ndarray, "klass"]


class _Scored(NamedTuple):
    """Scores of one draw; `every` are the logits of every strength."""

    probabilities: Float64[np.ndarray, "record klass"]
    every: Float64[np.ndarray, "strength record klass"]
    learned: Bool[np.ndarray, "klass"]


def patient_folds(
    labels: Bool[np.ndarray, "record klass"], patients: Shaped[np.ndarray, "record"], n_folds: int, seed: int
) -> Int[np.ndarray, "record"]:
    """Fold of each record: a patient's records share one, and every class is spread over all as evenly as can be.

    Each fold has two patients or more; raises CgdmerError where there are too few for that. Leaving out one patient at
    a time makes the others' share of each class fall where the patient has it and rise where not, and with it the bias
    of the probe: ranked together, the scores of such folds put chance below 0.5.
    """
    n_patients = len(np.unique(patients))
    if n_patients < 2 * n_folds:
        raise CgdmerError(
            f"{n_patients} patients are too few for {n_folds} folds of two or more; give recordings of more patients, "
            f"or fewer --folds ({LEAST_FOLDS} at least)"
        )
    _, of_record = np.unique(patients, return_inverse=True)
    counts = np.zeros((n_patients, labels.shape[1] + 1), np.int64)  # the last column counts records
    np.add.at(counts, of_record, np.concatenate([labels, np.ones((len(labels), 1), bool)], axis=1))
    order = np.random.default_rng(seed).permutation(n_patients)
    counts = counts[order]
    fold, held = np.full(n_patients, -1), np.zeros((n_folds, counts.shape[1]), np.int64)
    while (fold < 0).any():
        # As metrics/stratify.py: the class with the fewest records left comes next, records without a class last.
        left = counts[fold < 0].sum(0)
        some = np.flatnonzero(left[:-1])
        rarest = some[np.argmin(left[some])] if len(some) else len(left) - 1
        for patient in np.flatnonzero((fold < 0) & (counts[:, rarest] > 0)):
            open_folds = _open_folds(fold, n_folds)
            fold[patient] = open_folds[np.lexsort((held[open_folds, -1], held[open_folds, rarest]))[0]]
            held[fold[patient]] += counts[patient]
    of_patient = np.empty(n_patients, np.int64)
    of_patient[order] = fold
    return of_patient[of_record]


def _open_folds(fold: Int[np.ndarray, "patient"], n_folds: int) -> Int[np.ndarray, "fold"]:
    """Folds that the next patient may be put in: those that lack one, once all the patients left are needed there."""
    lacking = np.maximum(2 - np.bincount(fold[fold >= 0], minlength=n_folds), 0)
    all_needed = (fold < 0).sum() <= lacking.sum()
    return np.flatnonzero(lacking) if all_needed else np.arange(n_folds)


def cross_validate(
    x: Float[np.ndarray, "record feature"],
    y: Bool[np.ndarray, "record klass"],
    folds: Int[np.ndarray, "draw record"],
    each: Callable = map,
) -> CrossValidated:
    """Nested: the strength that scores a fold is chosen by cross-validation within the others, so 3 folds or more.

    `folds`: of each record, by draws of `patient_folds` with different seeds. One draw alone may be a lucky one.
    `each`: applies a function to each draw, as `map` or in threads.
    """
    draws = [*each(partial(_score_draw, x, y), folds)]
    path = fit_probe_path(x, y)
    strength = int(np.mean([path.losses(draw.every, y) for draw in draws], axis=0).argmin())
    return CrossValidated(
        np.stack([draw.probabilities for draw in draws]),
        np.stack([draw.every[strength] for draw in draws]),
        path,
        strength,
        np.all([draw.learned for draw in draws], axis=0),
    )


def _score_draw(x, y, fold) -> _Scored:
    n_folds = fold.max() + 1
    inner = np.empty((n_folds, len(STRENGTHS), *y.shape))  # first axis: the fold that is scored in the end
    for pair in combinations(range(n_folds), 2):
        rest = ~np.isin(fold, pair)
        path = fit_probe_path(x[rest], y[rest])  # the same, whichever of the two is scored in the end
        for number, other in (pair, pair[::-1]):
            inner[number][:, fold == other] = path.scores(x[fold == other])
    probabilities = np.empty(y.shape)
    every = np.empty((len(STRENGTHS), *y.shape))
    learned = np.ones(y.shape[1], bool)
    for number in range(n_folds):
        scored, others = fold == number, fold != number
        path = fit_probe_path(x[others], y[others])
        learned &= path.fitted
        every[:, scored] = path.scores(x[scored])
        probabilities[scored] = _probability(every[path.best(inner[number][:, others], y[others])][scored])
    return _Scored(probabilities, every, learned)


def _probability(logits):
    return 0.5 * (1 + np.tanh(0.5 * logits))
