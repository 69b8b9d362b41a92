"""A share of the patients that keeps every class in proportion: iterative stratification.

Sechidis, Tsoumakas, Vlahavas, On the stratification of multi-label data, ECML PKDD 2011, Algorithm 1, for two
subsets and with patients in the place of examples: a patient counts as many times as it has records of a class.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


def stratified_draw(
    labels: Bool[np.ndarray, "record klass"],
    patients: Shaped[np.ndarray, "record"],
    fraction: float,
    seed: int,
) -> Bool[np.ndarray, "record"]:
    """True for the records of the drawn patients; a patient's records are drawn together or not at all."""
    _, of_record = np.unique(patients, return_inverse=True)
    n_patients = int(of_record.max()) + 1
    # The last column counts records: it holds the draw's size, and places the patients without any class.
    counted = np.concatenate([labels, np.ones((len(labels), 1), bool)], axis=1)
    counts = np.zeros((n_patients, counted.shape[1]), np.int64)
    np.add.at(counts, of_record, counted)
    shuffle = np.random.default_rng(seed).permutation(n_patients)
    drawn = np.empty(n_patients, bool)
    drawn[shuffle] = _assign(counts[shuffle], fraction)
    return drawn[of_record]


def _assign(counts: Int[np.ndarray, "patient klass"], fraction: float) -> Bool[np.ndarray, "patient"]:
    """True = into the draw. Always the class with the fewest unplaced records next, its patients in order."""
    total = counts.sum(0)
    wanted: Float[np.ndarray, "2 klass"] = np.outer([fraction, 1 - fraction], total)
    drawn = np.zeros(len(counts), bool)
    placed = np.zeros(len(counts), bool)
    left = total.copy()
    while left.any():
        # The column of sizes comes last: rare classes have little choice, it has all.
        open_classes = np.flatnonzero(left[:-1])
        rarest = open_classes[np.argmin(left[open_classes])] if len(open_classes) else len(left) - 1
        for patient in np.flatnonzero(~placed & (counts[:, rarest] > 0)):
            # The subset that lacks most of this class; of equals, the one that lacks most records.
            lack = wanted[0, rarest] - wanted[1, rarest]
            drawn[patient] = lack > 0 or (lack == 0 and wanted[0, -1] > wanted[1, -1])
            wanted[0 if drawn[patient] else 1] -= counts[patient]
            placed[patient] = True
            left -= counts[patient]
    return drawn
