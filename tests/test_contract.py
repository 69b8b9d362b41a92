"""The input contract: its JSON is strict, and `prepare` makes what conversion makes or says why not."""

import dataclasses
import json

import numpy as np
import pytest
import wfdb

from cgdmer_jax.contract import UNIT, InputContract, TrainedOn, prepare
from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS, condition
from tests.real_recordings import unpack
from tests.waveform.test_conditioning import heart

CONTRACT = InputContract(
    rate=100,
    seconds=10,
    unit=UNIT,
    leads=LEADS,
    filter="none",
    scaling="record_std",
    cleaning_version="1",
    tokenizer_sha256="ab" * 32,
    trained_on=(
        TrainedOn("ptbxl", "cd" * 32, ("ef" * 32, "01" * 32), ("45" * 8,)),
        TrainedOn("other", "23" * 32, (), ()),
    ),
)


def test_a_contract_comes_back_from_json_as_it_went():
    assert InputContract.from_json(CONTRACT.to_json()) == CONTRACT


def test_a_contract_of_before_derived_limb_leads_had_none():
    values = json.loads(CONTRACT.to_json())
    del values["derive_limb_leads"]
    assert InputContract.from_json(json.dumps(values)) == CONTRACT and not CONTRACT.derive_limb_leads


@pytest.mark.parametrize(
    "field", sorted({field.name for field in dataclasses.fields(InputContract)} - {"derive_limb_leads"})
)
def test_a_missing_field_is_refused_by_name(field):
    values = json.loads(CONTRACT.to_json())
    del values[field]
    with pytest.raises(CgdmerError, match=f"contract: {field} is missing"):
        InputContract.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sampling": 5}, "has no field sampling"),
        ({"scalling": "x"}, 'Did you mean "scaling"'),
        ({"rate": "100"}, "rate is '100', expected a number above 0; restore"),
        ({"rate": True}, "rate is True, expected a number above 0; restore"),
        ({"rate": 0}, "rate is 0"),
        ({"derive_limb_leads": 1}, "derive_limb_leads is 1, expected true or false"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"rate": 10**400}, "rate is 1000.*, expected a number above 0; restore"),  # json reads 4,300 digits
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"seconds": 1e200, "rate": 1e200}, r"are 1e\+200 and 1e\+200; give 1 to 10,000,000 samples a lead"),
        ({"seconds": 1e-9}, "are 100 and 1e-09; give 1 to 10,000,000 samples a lead"),
        ({"unit": "mV"}, 'unit is "mV"'),
        ({"filter": "bandpass"}, 'Did you mean "bandpass_0.5_40"'),
        ({"scaling": "record_sd"}, 'Did you mean "record_std"'),
        ({"leads": [*LEADS[:5], "V1", "aVF", *LEADS[7:]]}, "leads is"),
        ({"leads": [1, 2]}, r"leads is \[1, 2\], expected a list, each entry a text"),
        (
            {"trained_on": [{"name": "a", "fingerprint": "b"}]},
            r"trained_on\[0\].patient_sha256 is missing",
        ),
        (
            {"trained_on": [{"name": "a", "fingerprint": "b", "patient_sha256": [1], "signal_sha256": []}]},
            r"patient_sha256 is \[1\]",
        ),
        ({"trained_on": ["ptbxl"]}, r"trained_on\[0\] is 'ptbxl', expected the fields of TrainedOn"),
        ({"trained_on": []}, "trained_on names no store"),
    ],
)
def test_an_unknown_or_wrong_field_is_refused_with_its_name(changed, words):
    values = json.loads(CONTRACT.to_json()) | changed
    with pytest.raises(CgdmerError, match=words):
        InputContract.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_contract_is_refused(text):
    with pytest.raises(CgdmerError, match=r"input contract (is no|is \[\]|is None)"):
        InputContract.from_json(text)


@pytest.mark.parametrize("filter", ["none", "bandpass_0.5_40"])
def test_prepare_equals_conversion_for_the_records_at_500_hz(shared_data, tmp_path, filter):
    contract = dataclasses.replace(CONTRACT, filter=filter)
    records = unpack(shared_data / "ptb-xl-500hz-sample.tar.xz", tmp_path)
    assert len(records) == 40
    for number, path in enumerate(records):
        recording = read_wfdb(path)
        stored = condition(
            recording.signal_mv, recording.rate, recording.names, "mV",
            target_rate=100, seconds=10, filter=filter, derive_limb_leads=False,
        )  # fmt: skip
        user = wfdb.rdrecord(str(path))  # the way a user reads: float64, lead names of the publisher
        order = np.random.default_rng(number).permutation(12)
        names = [user.sig_name[position] for position in order]
        for unit, factor in (("mV", 1), ("uV", 1e3), ("V", 1e-3)):
            signal = (user.p_signal.T[order] * factor).astype(np.float32)
            prepared = prepare(contract, signal, user.fs, names, unit)
            np.testing.assert_array_equal(prepared.signal, stored.signal)
            np.testing.assert_array_equal(prepared.lead_mask, stored.lead_mask)
            assert prepared.length == stored.valid_length == 1000


def test_a_few_leads_are_enough_and_the_others_are_masked():
    prepared = prepare(CONTRACT, heart(leads=3), 100, ["II", "V5", "Resp"], "mV")
    assert [lead for lead, here in zip(LEADS, prepared.lead_mask, strict=True) if here] == ["II", "V5"]
    assert prepared.extra_leads == ("Resp",)


@pytest.mark.parametrize(
    ("factor", "unit", "words"),
    [
        (1000, "mV", 'more likely "uV"'),
        (1e-3, "mV", 'more likely "V"'),
        (1, "uV", 'more likely "mV"'),
        (1, "V", 'more likely "mV"'),
        (1000, "V", 'more likely "uV"'),
        (1e-3, "uV", "check the unit"),  # below what any converter resolves
        (40, "mV", "check gain and unit"),
        (0.01, "mV", "check gain and unit"),
    ],
)
def test_an_amplitude_no_heart_has_is_refused_with_the_likely_unit(factor, unit, words):
    with pytest.raises(CgdmerError, match=words):
        prepare(CONTRACT, heart() * factor, 100, LEADS, unit)


@pytest.mark.parametrize(
    ("signal", "rate", "leads", "unit", "words"),
    [
        (heart(50), 50, LEADS, "mV", "rate is 50 Hz, below the 100 Hz"),
        (heart(), float("nan"), LEADS, "mV", "rate is nan"),
        (heart(), 1e308, LEADS, "mV", r"rate is 1e\+308 Hz, expected at most 1e\+06"),
        (heart(), 100, LEADS, "mmHg", 'unit is "mmHg"'),
        (heart(), 100, [f"E{k}" for k in range(12)], "mV", "no lead among"),
        (heart(), 100, ["II"] * 12, "mV", "are both II"),
        (heart().T, 100, LEADS, "mV", "transpose it"),
        (np.zeros((12, 0)), 100, LEADS, "mV", "0 samples"),
        (np.full((12, 1000), np.nan), 100, LEADS, "mV", "every lead is"),
        (np.ones((12, 1000)), 100, LEADS, "mV", "every lead is"),
    ],
)
def test_what_cannot_be_prepared_is_refused_in_one_sentence(signal, rate, leads, unit, words):
    with pytest.raises(CgdmerError, match=words) as caught:
        prepare(CONTRACT, signal, rate, leads, unit)
    assert "\n" not in str(caught.value)
