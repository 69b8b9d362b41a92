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

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import REQUIRED, Checked, called, check_names, from_fields, setting
from cgdmer_jax.given_input import Signal, check_unit, lead_names, one_recording, plain_rate
from cgdmer_jax.json_file import parse_json
from cgdmer_jax.waveform.conditioning import FILTERS, LEADS, condition
from cgdmer_jax.waveform.limb_leads import Agreement
from cgdmer_jax.waveform.quality import LeadQuality
from cgdmer_jax.waveform.quality_notes import remarks

UNIT = "uV int16"
HASHES = ("patient_sha256", "signal_sha256", "patient_hmac_sha256")  # fields of TrainedOn
WHERE = "input contract: "  # stands before the name of a field in an error
REMEDY = "restore the file"
MOST_SAMPLES = 10_000_000  # a lead: 24 hours at 100 Hz are 8.6 million
SCALINGS = ("record_std", "visible_samples", "lead_std", "fixed_mv", "record_minmax")
# Settings of a conversion that change its samples; of that name in a contract and in dataset.json (a test walks them).
CONVERSION = ("rate", "seconds", "filter", "derive_limb_leads")
# Fields that a file of an earlier version does not have, and what they were then.
_BEFORE = {"derive_limb_leads": False}
_TRAINED_ON_BEFORE = {"n_patients": None, "patient_hmac_sha256": [], "own_cleaning": None}


@dataclass(frozen=True)
class TrainedOn(Checked):
    """One store that the encoder saw, and hashes of its patients and recordings for leak checks.

    Whoever can guess an id can guess what `patient_sha256` stands for, so it stays in the run folder.
    """

    where = "input contract: trained_on"
    name: str = setting(REQUIRED, "name of the store")
    fingerprint: str = setting(REQUIRED, "hash of all that is in it")
    patient_sha256: tuple[str, ...] = setting(REQUIRED, "hash of each patient")
    signal_sha256: tuple[str, ...] = setting(REQUIRED, "hash of each recording")
    n_patients: int | None = setting(None, "number of patients; null where it is that of the hashes", least=0)
    patient_hmac_sha256: tuple[str, ...] = setting((), "in a model folder, of the owner's key, on request")
    own_cleaning: str | None = setting(None, "rules for its reports; null = those that go with its name")

    def __repr__(self) -> str:
        hashes = ", ".join(f"{field}=<{len(getattr(self, field)):,}>" for field in HASHES)
        return (
            f"TrainedOn(name={self.name!r}, fingerprint={self.fingerprint!r}, n_patients={self.n_patients}, {hashes})"
        )

    def __post_init__(self):
        super().__post_init__()
        if self.n_patients is None:
            object.__setattr__(self, "n_patients", len(self.patient_sha256))


@dataclass(frozen=True)
class InputContract(Checked):
    """Everything about its input that an encoder relies on; input.json of a run folder, for all its checkpoints."""

    where = WHERE
    rate: float | int = setting(REQUIRED, "hertz", above=0)
    seconds: float | int = setting(REQUIRED, "length of a record", above=0)
    unit: str = setting(REQUIRED, "of the samples", choices=(UNIT,))
    leads: tuple[str, ...] = setting(REQUIRED, "names of the leads, in order")
    filter: str = setting(REQUIRED, "filter of the conversion", choices=FILTERS)
    scaling: str = setting(REQUIRED, "applied on the device", choices=SCALINGS)
    cleaning_version: str = setting(REQUIRED, "of the reports")
    tokenizer_sha256: str = setting(REQUIRED, "hash of the tokenizer")
    trained_on: tuple[TrainedOn, ...] = setting(REQUIRED, "the stores that the encoder saw")
    derive_limb_leads: bool = setting(False, "absent limb leads are made from two others")

    def __post_init__(self):
        super().__post_init__()
        if self.leads != LEADS:
            raise CgdmerError(f"{WHERE}leads is {', '.join(self.leads)}; give {', '.join(LEADS)}")
        if not self.trained_on:  # its first store says how reports and prompts are cleaned
            raise CgdmerError(f"{WHERE}trained_on names no store; give at least the one that the encoder saw")
        if not 0.5 < self.seconds * self.rate <= MOST_SAMPLES:  # before anything of that size is made
            raise CgdmerError(
                f"{WHERE}rate and seconds are {self.rate:g} and {self.seconds:g}; give 1 to {MOST_SAMPLES:,} "
                "samples a lead"
            )

    @property
    def samples(self) -> int:
        """Samples a lead of every record."""
        return round(self.seconds * self.rate)

    def to_json(self) -> str:
        """The contract as JSON text, fields in a fixed order."""
        fields = dataclasses.asdict(self)
        for store in fields["trained_on"]:
            if store["own_cleaning"] is None:  # as before there were such rules
                del store["own_cleaning"]
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "InputContract":
        """Reads what `to_json` wrote; an unknown, a missing or a mistyped field raises."""
        return cls.from_fields(parse_json(text.encode(), Path("input contract"), remedy=REMEDY))

    @classmethod
    def from_fields(cls, values: object, where: str = WHERE) -> "InputContract":
        """The same of parsed JSON; `where` stands before the name of a field in an error."""
        if isinstance(values, dict):
            values = _BEFORE | values
        check_names(cls, values, where, remedy=REMEDY)
        stores = values["trained_on"]
        if isinstance(stores, list):
            named = [(called(where, f"trained_on[{position}]"), store) for position, store in enumerate(stores)]
            values = values | {"trained_on": tuple(_trained_on(store, name) for name, store in named)}
        return from_fields(cls, values, where, remedy=REMEDY)


def _trained_on(values: object, where: str) -> TrainedOn:
    before = _TRAINED_ON_BEFORE | values if isinstance(values, dict) else values
    return from_fields(TrainedOn, before, where, remedy=REMEDY)


def patient_sha256(patient: str) -> str:
    """Hash that stands for "<collection>:<id>"."""
    return hashlib.sha256(patient.encode()).hexdigest()


def remark_on_length(contract: InputContract, n_samples: int, rate: float | int) -> str | None:
    """Remark on a recording that fills less than 95 % of the window, the only sign of a wrong `rate`; else None."""
    seconds = n_samples / rate
    if seconds >= 0.95 * contract.seconds:
        return None
    told = f"{seconds:.0f}" if seconds >= 1 else f"{seconds:.2g}"  # whole ones, so that like remarks count as one
    window = f"the model's {contract.seconds:g} s"
    return f"{told} s at {rate:g} Hz, shorter than {window}: the rest is padded; check the rate"


def patient_hmac_sha256(patient_hash: str, key: bytes) -> str:
    """Keyed hash of a patient's `patient_sha256`; only those who have the key can tell whose it is."""
    return hmac.new(key, patient_hash.encode(), "sha256").hexdigest()


def without_patients(contract: InputContract, key: bytes | None) -> InputContract:
    """The contract as it may be handed on: of patients only their number and, with a key, keyed hashes.

    Keyed hashes that it has already, of a model that training started from, stay.
    """

    def of(store: TrainedOn) -> TrainedOn:
        keyed = set(store.patient_hmac_sha256)
        if key is not None:
            keyed |= {patient_hmac_sha256(one, key) for one in store.patient_sha256}
        return dataclasses.replace(store, patient_sha256=(), patient_hmac_sha256=tuple(sorted(keyed)))

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
    start_s: float = 0.0  # where it begins in the recording that it is a window of

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
