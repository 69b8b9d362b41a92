"""Whether a model was trained on a patient, told from keyed hashes."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool

from cgdmer_jax.contract import InputContract, patient_hmac_sha256, patient_sha256
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import in_order


def among_trained_patients(contract: InputContract, patients: Iterable[str], key: bytes) -> Bool[np.ndarray, "patient"]:
    """True for each of `patients` (`<collection>:<id>`) whose hash under `key` the contract has; [patient].

    Raises CgdmerError where it has no keyed hashes, or none of that collection's patients, and where a name is no text.
    """
    keyed = {one for part in contract.trained_on for one in part.patient_hmac_sha256}
    if not keyed:
        raise CgdmerError(
            "the model has no hashes of patients to compare with; export it with --patient_key, or compare "
            "recordings (was_trained_on)"
        )
    if not isinstance(key, bytes):
        raise CgdmerError(f"key is of type {type(key).__name__}, expected bytes; give Path(...).read_bytes()")
    names = list(in_order(patients, "patients"))
    not_hashed = {p.name for p in contract.trained_on if p.n_patients and not p.patient_hmac_sha256}
    for name in names:
        if not isinstance(name, str):
            raise CgdmerError(f'patients holds {name!r}, expected text; give "<collection>:<id>" of each')
        if (collection := name.partition(":")[0]) in not_hashed:
            raise CgdmerError(
                f"the model was trained on patients of {collection} and has no hashes of them to compare with; "
                "make it with --patient_key, or compare recordings (was_trained_on)"
            )
    return np.array([patient_hmac_sha256(patient_sha256(name), key) in keyed for name in names], bool)
