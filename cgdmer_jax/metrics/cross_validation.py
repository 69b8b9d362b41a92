"""Cross-validation by patient: every record is scored by probes that saw none of its patient."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.probe import STRENGTHS, ProbePath, fit_probe_path


class CrossValidated(NamedTuple):
    """Probes of a whole set of records.

    `probabilities`: of each record, by the probe of the other folds, whose strength was chosen in those too: what a
    new patient may expect. `logits`: the same at the one strength that is best over all folds, for calibration.
    `path`, `strength`: the probe fitted on all records, and which of its strengths that is. `fold`: of each record.
    `learned`: False of a class that some fold's probe could not learn, as all its positives (or negatives) lie in that
    fold; its scores say nothing of a new patient.
    """

    probabilities: Float64[np.ndarray, "record klass"]
    logits: Float64[np.ndarray, "record klass"]
    path: ProbePath
    strength: int
    fold: Int[np.ndarray, "record"]
    learned: Bool[np.ndarray, "klass"]


def patient_folds(
    labels: Bool[np.ndarray, "record klass"], patients: Shaped[np.ndarray, "record"], n_folds: int, seed: int
) -> Int[np.ndarray, "record"]:
    """Fold of each record: a patient's records share one, and every class is spread over all as evenly as can be."""
    n_patients = len(np.unique(patients))
    if n_patients < n_folds:
        raise CgdmerError(f"{n_patients} patients cannot be put into {n_folds} folds; give more, or fewer --folds")
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
            fold[patient] = np.lexsort((held[:, -1], held[:, rarest]))[0]
            held[fold[patient]] += counts[patient]
    of_patient = np.empty(n_patients, np.int64)
    of_patient[order] = fold
    return of_patient[of_record]


def cross_validate(
    x: Float[np.ndarray, "record feature"],
    y: Bool[np.ndarray, "record klass"],
    patients: Shaped[np.ndarray, "record"],
    *,
    n_folds: int,
    seed: int = 0,
) -> CrossValidated:
    """Nested: the strength that scores a fold is chosen by cross-validation within the others, so 3 folds or more."""
    fold = patient_folds(y, patients, n_folds, seed)
    probabilities = np.empty(y.shape)
    every = np.empty((len(STRENGTHS), *y.shape))
    learned = np.ones(y.shape[1], bool)
    for number in range(n_folds):
        scored, others = fold == number, fold != number
        inner = np.empty((len(STRENGTHS), *y.shape))
        for other in range(n_folds):
            if other != number:
                held = fold == other
                inner[:, held] = fit_probe_path(x[others & ~held], y[others & ~held]).scores(x[held])
        path = fit_probe_path(x[others], y[others])
        learned &= path.fitted
        every[:, scored] = path.scores(x[scored])
        probabilities[scored] = _probability(every[path.best(inner[:, others], y[others])][scored])
    path = fit_probe_path(x, y)
    best = path.best(every, y)
    return CrossValidated(probabilities, every[best], path, best, fold, learned)


def _probability(logits):
    return 0.5 * (1 + np.tanh(0.5 * logits))
