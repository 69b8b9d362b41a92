"""Scored records that a run was trained on, found by patient, by the stored samples, and by shared collections.

See docs/design.md, "Discipline".
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from cgdmer_jax.contract import InputContract, patient_sha256
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.shared_recordings import RECORDS_ARE_PATIENTS, renames


@dataclass(frozen=True)
class Overlap:
    """Counts of records; a store of another name has no patient in common, its recordings may still be copies.

    `of_shared_collections`: records, none of the others, that a collection trained on holds under another name, and of
    which nobody can tell whether they were trained on.
    """

    n_scored: int
    of_trained_patients: int
    of_trained_recordings: int
    of_shared_collections: int = 0

    def __bool__(self) -> bool:
        return self.of_trained_patients + self.of_trained_recordings + self.of_shared_collections > 0

    def __str__(self) -> str:
        if not self:
            return f"none of {self.n_scored:,} records"
        told = (
            f"of {self.n_scored:,} records {self.of_trained_patients:,} are of trained patients and "
            f"{self.of_trained_recordings:,} are recordings trained on"
        )
        if self.of_shared_collections:
            told += (
                f"; {self.of_shared_collections:,} more may be: a collection trained on holds them under other names"
            )
        return told


def find_overlap(contract: InputContract, corpus: Corpus, lines: Int64[np.ndarray, "record"]) -> Overlap:
    """Compares the records of these lines with what input.json says of the training."""
    patients = {sha for part in contract.trained_on for sha in part.patient_sha256}
    recordings = {sha for part in contract.trained_on for sha in part.signal_sha256}
    of_patients = np.array([patient_sha256(patient) in patients for patient in corpus.patient_id[lines]], bool)
    known = np.array([sha in recordings for sha in corpus.column("signal_sha256")[lines]], bool)
    surely, perhaps = _shared(contract, corpus, lines)
    known |= surely
    return Overlap(len(lines), int(of_patients.sum()), int(known.sum()), int((perhaps & ~known & ~of_patients).sum()))


def _shared(
    contract: InputContract, corpus: Corpus, lines: Int64[np.ndarray, "record"]
) -> tuple[Bool[np.ndarray, "record"], Bool[np.ndarray, "record"]]:
    """Records that were trained on under their name in another collection, and those that may have been."""
    surely, perhaps = np.zeros(len(lines), bool), np.zeros(len(lines), bool)
    collections = [patient.partition(":")[0] for patient in corpus.patient_id[lines]]
    records = corpus.column("record_id")[lines]
    for part in contract.trained_on:
        patients = set(part.patient_sha256)
        for collection in set(collections):
            if (rename := renames(collection, part.name)) is None:
                continue
            for place, record in enumerate(records):
                name = rename(str(record)) if collections[place] == collection else None
                if name is None:
                    continue
                if name and patients and part.name in RECORDS_ARE_PATIENTS:  # there a patient is a recording
                    surely[place] |= patient_sha256(f"{part.name}:{name}") in patients
                else:
                    perhaps[place] = True
    return surely, perhaps
