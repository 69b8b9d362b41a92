"""Folds that train, choose and score; always split by patient (docs/design.md, "Splits")."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Integer

from cgdmer_jax.errors import CgdmerError, suggest

N_FOLDS = 10
# Pretraining, tokenizers and entity tables see "train" only; PTB-XL's folds 9 and 10 are human-checked.
SPLITS: dict[str, tuple[int, ...]] = {"train": tuple(range(1, 9)), "validation": (9,), "test": (10,)}


class ProbeFolds(NamedTuple):
    """Folds of a probe: weights are fitted on `fit`, C is chosen on `choose`, `score` is reported."""

    fit: tuple[int, ...]
    choose: tuple[int, ...]
    score: tuple[int, ...]


PROBE_FOLDS = {
    "validation": ProbeFolds(fit=tuple(range(1, 8)), choose=(8,), score=(9,)),
    "test": ProbeFolds(fit=tuple(range(1, 9)), choose=(9,), score=(10,)),
}


def fold_of_patient(patient_id: str) -> int:
    """Fold 1..10 from the sha256 of the patient's id: the same wherever and with whomever it is listed."""
    digest = hashlib.sha256(patient_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % N_FOLDS + 1


def fold_of_split(split: str, patient_id: str, with_validation: bool = True) -> int:
    """Fold of a patient whose split is given; of a collection without validation a ninth of `train` serves as that."""
    if split != "train":
        return SPLITS[split][0]
    digest = hashlib.sha256(patient_id.encode()).digest()
    folds = SPLITS["train"] if with_validation else SPLITS["train"] + SPLITS["validation"]
    return folds[int.from_bytes(digest[:8], "big") % len(folds)]


def split_folds(split: str) -> tuple[int, ...]:
    """Folds of `train`, `validation` or `test`."""
    if split not in SPLITS:
        raise CgdmerError(f'there is no split "{split}".{suggest(split, SPLITS)}')
    return SPLITS[split]


def probe_folds(split: str) -> ProbeFolds:
    """The probe's folds when `split` is scored: choices are made on validation, test is read last."""
    if split not in PROBE_FOLDS:
        raise CgdmerError(f'a probe cannot score the split "{split}".{suggest(split, PROBE_FOLDS)}')
    return PROBE_FOLDS[split]


def in_folds(fold: Integer[np.ndarray, "record"], folds: tuple[int, ...]) -> Bool[np.ndarray, "record"]:
    """True where the record's fold is one of `folds`."""
    return np.isin(fold, folds)


def check_patients_stay_in_one_fold(patients: Iterable[str], folds: Iterable[int], source: str) -> None:
    """Raises when a fold is not 1..10 or a patient has records in two folds (a leak between splits)."""
    seen: dict[str, int] = {}
    for patient, fold in zip(patients, folds, strict=True):
        if not 1 <= fold <= N_FOLDS:
            raise CgdmerError(
                f"source {source} puts a record in fold {fold}; give every record a fold from 1 to {N_FOLDS}"
            )
        if seen.setdefault(patient, fold) != fold:
            raise CgdmerError(
                f"source {source} has a patient in folds {seen[patient]} and {fold}; "
                "give every record of a patient the same fold"
            )
