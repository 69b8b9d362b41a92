"""The synthetic recordings are physiological: measured on the signal, not read from generator's tables."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from cgdmer_jax.data.sources import synthetic as source
from cgdmer_jax.data.synthetic.dataset import (
    GENERATOR_VERSION,
    STEP_MV,
    SyntheticRecords,
    generate,
    generate_records,
    list_records,
)
from cgdmer_jax.data.synthetic.hearts import FINDINGS, RHYTHMS
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.conditioning import LEADS
from tests.small_runs import ROOT

N = 150
# Of the first 100 records and reports of seed 2026.
SHA256 = "91cb1f8a6723311eb9d7d90aa4e019557adba011d44cb94d26cf34105d5c26d7"


@pytest.fixture(scope="module")
def made() -> SyntheticRecords:
    return generate(11, N, 250)


def test_limb_leads_follow_einthoven_and_goldberger_with_noise_and_all(made):
    i, ii, iii, avr, avl, avf = (made.signal_mv[:, lead].astype(np.float64) for lead in range(6))
    rounding = 1.5 * STEP_MV + 1e-6  # half a step in each of three leads
    np.testing.assert_allclose(iii, ii - i, atol=rounding)
    np.testing.assert_allclose(avr, -(i + ii) / 2, atol=rounding)
    np.testing.assert_allclose(avl, (i - iii) / 2, atol=rounding)
    np.testing.assert_allclose(avf, (ii + iii) / 2, atol=rounding)
    assert np.abs(made.signal_mv - made.clean_mv).max() > 0.1  # the noise is there


MADE_ANEW = """
import hashlib, sys
from cgdmer_jax.data.synthetic.dataset import generate
made = generate(2026, 100)
print(hashlib.sha256(made.signal_mv.tobytes() + "".join(made.reports).encode()).hexdigest())
"""
OTHER_PROCESSORS = {
    "this one": {},
    "without AVX": {"NPY_DISABLE_CPU_FEATURES": ",".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"])},
    "with the sums of an old one": {"OPENBLAS_CORETYPE": "Prescott"},
    "without fused products": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"},
}


@pytest.mark.parametrize("variables", OTHER_PROCESSORS.values(), ids=OTHER_PROCESSORS)
def test_recordings_and_reports_are_the_same_on_every_processor(variables):
    """The bytes of version 3, the same in results made elsewhere; numpy, OpenBLAS and libc take other code here."""
    words = [sys.executable, "-c", MADE_ANEW]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=True)
    assert (GENERATOR_VERSION, done.stdout.strip()) == (3, SHA256)


def test_the_twelve_leads_are_of_rank_three_before_noise(made):
    """Three leads determine all others, so masking results on these recordings mean nothing (docs/synthetic.md)."""
    sizes = np.linalg.svd(made.clean_mv.astype(np.float64), compute_uv=False)
    assert (sizes[:, 2] > 0.01 * sizes[:, 0]).all() and (sizes[:, 3] < 1e-5 * sizes[:, 0]).all()


def test_a_record_depends_on_seed_and_number_alone():
    whole = generate(3, 150)
    numbers = np.array([149, 0, 70, 71])
    part = generate_records(3, numbers)
    for line, number in enumerate(numbers):
        assert np.array_equal(part.signal_mv[line], whole.signal_mv[number])
        assert np.array_equal(generate_records(3, numbers[[line]]).signal_mv[0], whole.signal_mv[number])
    assert part.reports == [whole.reports[number] for number in numbers]
    assert not np.array_equal(generate(4, 1).signal_mv[0], whole.signal_mv[0])


def test_listing_equals_generation():
    listed, made = list_records(5, 130), generate(5, 130)
    for field in dataclasses.fields(listed):
        assert list(getattr(listed, field.name)) == list(getattr(made, field.name)), field.name


def test_the_same_heart_beats_at_any_rate():
    slow, fast = generate(6, 12, 100), generate(6, 12, 500)
    np.testing.assert_allclose(fast.clean_mv[:, :, ::5], slow.clean_mv, atol=1e-4)
    assert fast.reports == slow.reports


def test_every_finding_has_its_share_and_a_sixth_is_normal():
    findings = list_records(1, 4000).findings
    share = {code: np.mean([code in f for f in findings]) for code in FINDINGS if code != "SR"}
    assert all(0.08 <= value <= 0.16 for value in share.values()), share
    assert 0.13 <= np.mean([f == ("SR",) for f in findings]) <= 0.20
    assert np.mean([len(f) > 2 for f in findings]) > 0.1  # several may meet


def test_exclusive_findings_never_meet():
    for codes in list_records(2, 3000).findings:
        assert sum(code in codes for code in RHYTHMS) == 1 and codes[0] in RHYTHMS
        assert not ("CLBBB" in codes and {"CRBBB", "IMI", "AMI", "LVH", "STD_"} & set(codes))
        assert not ("LVH" in codes and {"CRBBB", "AMI", "STD_"} & set(codes))
        assert not ("1AVB" in codes and {"AFIB", "STACH"} & set(codes))


def test_scars_stay_with_the_patient_and_a_quarter_of_patients_come_twice():
    listed = list_records(7, 1000)
    visits: dict[str, list[int]] = {}
    for i, patient in enumerate(listed.patient_ids):
        visits.setdefault(patient, []).append(i)
    assert np.mean([len(lines) == 2 for lines in visits.values()]) == pytest.approx(0.25)
    of_the_record = {*RHYTHMS, "PVC", "1AVB"}  # a fast rate or fibrillation hides the AV block
    for lines in visits.values():
        assert len({frozenset(set(listed.findings[i]) - of_the_record) for i in lines}) == 1
        assert len({listed.sex[i] for i in lines}) == 1 and np.ptp(listed.age[lines]) <= 5


def test_the_source_lists_and_reads_the_same_records():
    opened = source.open_source(70, 100, 9)
    made = generate(9, 70)
    assert [record.report for record in opened.records] == made.reports
    assert [record.labels["findings"] for record in opened.records] == made.findings
    recording = opened.read(opened.records[66])
    assert np.array_equal(recording.signal_mv, made.signal_mv[66])
    assert recording.names == LEADS and recording.rate == 100 and opened.rate == 100
    folds: dict[str, set[int]] = {}
    for record in opened.records:
        folds.setdefault(record.patient_id, set()).add(record.fold)
    assert all(len(each) == 1 for each in folds.values())


def test_the_source_names_its_recipe_and_refuses_nonsense():
    one, other = source.open_source(5, 100, 1), source.open_source(5, 100, 2)
    assert one.tables != other.tables
    for n, rate, seed in ((0, 100, 0), (10**8, 100, 0), (5, 20, 0), (5, 100, -1)):
        with pytest.raises(CgdmerError, match="ask for 1 to 1,000,000 records"):
            source.open_source(n, rate, seed)
