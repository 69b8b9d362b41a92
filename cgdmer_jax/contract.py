"""InputContract: what an encoder was trained on, and `prepare`, which converts a signal to it or refuses.

`prepare` runs the chain of the conversion (`waveform.condition`), so that a signal in use and a stored one
are equal int16 (docs/design.md, "Input contract").
"""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int16

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.fields import is_number
from cgdmer_jax.given_input import Signal, check_unit, lead_names, one_recording, plain_rate
from cgdmer_jax.json_file import parse_json
from cgdmer_jax.waveform.conditioning import FILTERS, LEADS, condition
from cgdmer_jax.waveform.limb_leads import Agreement
from cgdmer_jax.waveform.quality import LeadQuality
from cgdmer_jax.waveform.quality_notes import remarks

UNIT = "uV int16"
HASHES = ("patient_sha256", "signal_sha256", "patient_hmac_sha256")  # fields of TrainedOn
MOST_SAMPLES = 10_000_000  # a lead: 24 hours at 100 Hz are 8.6 million
SCALINGS = ("record_std", "lead_std", "fixed_mv", "record_minmax")
# Settings of a conversion that change its samples; of that name in a contract and in dataset.json (a test walks them).
CONVERSION = ("rate", "seconds", "filter", "derive_limb_leads")


@dataclass(frozen=True)
class TrainedOn:
    """One store that the encoder saw, and hashes of its patients and recordings for leak checks.

    Whoever can guess an id can guess what `patient_sha256` stands for, so it stays in the run folder.
    """

    name: str
    fingerprint: str
    patient_sha256: tuple[str, ...]
    signal_sha256: tuple[str, ...]
    n_patients: int | None = None  # None: as many as there are hashes, and set to that
    patient_hmac_sha256: tuple[str, ...] = ()  # in a model folder, of the owner's key, on request

    def __repr__(self) -> str:
        hashes = ", ".join(f"{field}=<{len(getattr(self, field)):,}>" for field in HASHES)
        return (
            f"TrainedOn(name={self.name!r}, fingerprint={self.fingerprint!r}, n_patients={self.n_patients}, {hashes})"
        )

    def __post_init__(self):
        if self.n_patients is None:
            object.__setattr__(self, "n_patients", len(self.patient_sha256))


@dataclass(frozen=True)
class InputContract:
    """Everything about its input that an encoder relies on; input.json of a run folder, for all its checkpoints."""

    rate: float | int  # hertz
    seconds: float | int
    unit: str
    leads: tuple[str, ...]
    filter: str
    scaling: str  # applied on the device
    cleaning_version: str  # of the reports
    tokenizer_sha256: str
    trained_on: tuple[TrainedOn, ...]
    derive_limb_leads: bool = False  # absent limb leads are made from two others

    def __post_init__(self):
        known = {"unit": (UNIT,), "filter": FILTERS, "scaling": SCALINGS}
        for field, names in known.items():
            value = getattr(self, field)
            if value not in names:
                raise CgdmerError(
                    f'input contract field {field} is "{value}", which this version does not know; '
                    f"use the version that wrote it.{suggest(value, names)}"
                )
        if self.leads != LEADS:
            raise CgdmerError(
                f"input contract field leads is {', '.join(self.leads)}, expected {', '.join(LEADS)}; "
                "use the version that wrote it"
            )
        if not self.trained_on:  # its first store says how reports and prompts are cleaned
            raise CgdmerError(
                "input contract field trained_on names no store, but an encoder was trained on at least one; "
                "restore the file, or export the model again"
            )
        for field in ("rate", "seconds"):
            if not (is_number(value := getattr(self, field)) and value > 0):
                raise CgdmerError(
                    f"input contract field {field} is {value!r:.80}, expected a number above 0; restore the file"
                )
        if not 0.5 < self.seconds * self.rate <= MOST_SAMPLES:  # before anything of that size is made
            raise CgdmerError(
                f"input contract fields rate and seconds are {self.rate:g} and {self.seconds:g}, expected 1 to "
                f"{MOST_SAMPLES:,} samples a lead; restore the file"
            )

    @property
    def samples(self) -> int:
        """Samples a lead of every record."""
        return round(self.seconds * self.rate)

    def to_json(self) -> str:
        """The contract as JSON text, fields in a fixed order."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "InputContract":
        """Reads what `to_json` wrote; an unknown, a missing or a mistyped field raises."""
        return cls.from_fields(parse_json(text.encode(), Path("input contract"), remedy="restore the file"))

    @classmethod
    def from_fields(cls, values: object) -> "InputContract":
        """The same of parsed JSON."""
        if isinstance(values, dict):
            values = _BEFORE | values
        _check_fields(values, _JSON_TYPES, "input contract")
        stores = [_TRAINED_ON_BEFORE | s if isinstance(s, dict) else s for s in values["trained_on"]]
        for position, store in enumerate(stores):
            _check_fields(store, _TRAINED_ON_TYPES, f"input contract field trained_on[{position}]")
        _check_strings(values["leads"], "leads")
        for position, store in enumerate(stores):
            for field in HASHES:
                _check_strings(store[field], f"trained_on[{position}].{field}")
        trained_on = tuple(TrainedOn(**store | {field: tuple(store[field]) for field in HASHES}) for store in stores)
        return cls(**values | {"leads": tuple(values["leads"]), "trained_on": trained_on})


def patient_sha256(patient: str) -> str:
    """Hash that stands for "<collection>:<id>"."""
    return hashlib.sha256(patient.encode()).hexdigest()


def patient_hmac_sha256(patient_hash: str, key: bytes) -> str:
    """Keyed hash of a patient's `patient_sha256`; only those who have the key can tell whose it is."""
    return hmac.new(key, patient_hash.encode(), "sha256").hexdigest()


def without_patients(contract: InputContract, key: bytes | None) -> InputContract:
    """The contract as it may be handed on: of patients only their number and, with a key, keyed hashes."""

    def of(store: TrainedOn) -> TrainedOn:
        keyed = () if key is None else sorted(patient_hmac_sha256(one, key) for one in store.patient_sha256)
        return dataclasses.replace(store, patient_sha256=(), patient_hmac_sha256=tuple(keyed))

    return dataclasses.replace(contract, trained_on=tuple(of(store) for store in contract.trained_on))


def signal_sha256(signal_uv: Int16[np.ndarray, "12 time"]) -> str:
    """Hash of a recording's stored samples: 64 bits, in hex, tell 100 million recordings apart."""
    return hashlib.sha256(signal_uv.astype("<i2").tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Prepared:
    """One recording in the form of a contract: microvolts, absent leads and padding zero."""

    signal: Int16[np.ndarray, "12 time"]
    lead_mask: Bool[np.ndarray, "12"]
    length: int  # samples before the padding
    quality: LeadQuality
    agreement: Agreement  # of the limb leads
    derived: Bool[np.ndarray, "12"]  # limb leads made from two others, on request
    extra_leads: tuple[str, ...]  # names outside the twelve: not used

    @property
    def remarks(self) -> list[str]:
        """Words for whatever looks wrong or was derived; absent leads are in `lead_mask`."""
        of_leads = {
            "lead_flagged": self.quality.flagged,
            "lead_implausible": self.quality.implausible,
            "lead_derived": self.derived,
        }
        agreement = self.agreement
        return remarks(of_leads, {"arms_swapped": agreement.arms_swapped, "limb_leads_disagree": agreement.disagree})


def prepare(
    contract: InputContract,
    signal: Signal,
    rate: float | int,
    leads: Iterable[str],
    unit: str,
) -> Prepared:
    """Converts a recording to the contract by the functions of the conversion, or refuses in one sentence."""
    leads = lead_names(leads)
    signal, rate = one_recording(signal, leads), plain_rate(rate)
    check_unit(unit)
    if rate < contract.rate:
        raise CgdmerError(
            f"rate is {rate:g} Hz, below the {contract.rate:g} Hz the encoder was trained on; "
            f"give a recording of at least {contract.rate:g} Hz or take an encoder of a lower rate"
        )
    conditioned = condition(
        signal,
        rate,
        leads,
        unit,
        target_rate=contract.rate,
        seconds=contract.seconds,
        filter=contract.filter,
        derive_limb_leads=contract.derive_limb_leads,
    )
    return Prepared(
        conditioned.signal,
        conditioned.lead_mask,
        conditioned.valid_length,
        conditioned.quality,
        conditioned.agreement,
        conditioned.derived,
        conditioned.extra_leads,
    )


_NUMBER = (int, float)
_JSON_TYPES = {
    "rate": _NUMBER,
    "seconds": _NUMBER,
    "unit": str,
    "leads": list,
    "filter": str,
    "scaling": str,
    "cleaning_version": str,
    "tokenizer_sha256": str,
    "trained_on": list,
    "derive_limb_leads": bool,
}
_BEFORE = {"derive_limb_leads": False}  # fields that an input.json of an earlier version does not have
_TRAINED_ON_TYPES = {
    "name": str,
    "fingerprint": str,
    "patient_sha256": list,
    "signal_sha256": list,
    "n_patients": (int, type(None)),
    "patient_hmac_sha256": list,
}
_TRAINED_ON_BEFORE = {"n_patients": None, "patient_hmac_sha256": []}  # what earlier versions did not write


def _check_fields(values: object, types: dict[str, type | tuple[type, ...]], where: str) -> None:
    if not isinstance(values, dict):
        raise CgdmerError(f"{where} is no JSON object; restore the file")
    for field in values:
        if field not in types:
            raise CgdmerError(
                f'{where} has the unknown field "{field}"; use the version that wrote it.{suggest(field, types)}'
            )
    for field, kind in types.items():
        if field not in values:
            raise CgdmerError(f'{where} lacks the field "{field}"; restore the file')
        if not isinstance(values[field], kind) or (isinstance(values[field], bool) and kind is not bool):
            raise CgdmerError(f"{where} holds {values[field]!r} as {field}, of the wrong type; restore the file")


def _check_strings(values: list, field: str) -> None:
    if not all(isinstance(value, str) for value in values):
        raise CgdmerError(f"input contract field {field} holds something that is no text; restore the file")
