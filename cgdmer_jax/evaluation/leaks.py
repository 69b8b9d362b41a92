"""Scored records that a run was trained on, found by patient and by the stored samples themselves.

See docs/design.md, "Discipline".
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from cgdmer_jax.contract import InputContract, patient_sha256
from cgdmer_jax.data.corpus import Corpus


@dataclass(frozen=True)
class Overlap:
    """Counts of records; a store of another name has no patient in common, its recordings may still be copies."""

    n_scored: int
    of_trained_patients: int
    of_trained_recordings: int

    def __bool__(self) -> bool:
        return self.of_trained_patients + self.of_trained_recordings > 0

    def __str__(self) -> str:
        if not self:
            return f"none of {self.n_scored:,} records"
        return (
            f"of {self.n_scored:,} records {self.of_trained_patients:,} are of trained patients and "
            f"{self.of_trained_recordings:,} are recordings trained on"
        )


def find_overlap(contract: InputContract, corpus: Corpus, lines: Int64[np.ndarray, "record"]) -> Overlap:
    """Compares the records of these lines with what input.json says of the training."""
    patients = {sha for part in contract.trained_on for sha in part.patient_sha256}
    recordings = {sha for part in contract.trained_on for sha in part.signal_sha256}
    return Overlap(
        len(lines),
        sum(patient_sha256(patient) in patients for patient in corpus.patient_id[lines]),
        sum(sha in recordings for sha in corpus.column("signal_sha256")[lines]),
    )
