"""Reports affirm exactly the findings of their record, read by rules written apart from the phrase tables."""

import re

import numpy as np
import pytest

from cgdmer_jax.data.synthetic.dataset import generate, list_records
from cgdmer_jax.data.text.cleaning import clean

N = 5000
MEANS = {  # what a reader would look for; written without the generator's tables
    "AFIB": r"atrial fib",
    "STACH": r"sinus tach",
    "SBRAD": r"sinus brady",
    "SR": r"sinus rhythm",
    "1AVB": r"(first|1st) degree av block",
    "PVC": r"ventricular (ectopy|extrasyst|premature)|premature ventricular|\bpvcs?\b",
    "CLBBB": r"\blbbb\b|left bundle",
    "CRBBB": r"\brbbb\b|right bundle",
    "IMI": r"inferior (wall |myocardial )?infarct|inferior q waves",
    "AMI": r"anterior (wall |myocardial )?infarct",
    "LVH": r"\blvh\b|(left )?ventricular hypertrophy",
    "STD_": r"st depression",
}
DENIES_BEFORE = r"(?:\bno\b|\bnot\b|\bwithout\b|\bnegative for\b)"
DENIES_AFTER = r"(?:is not present|not seen|is absent)"


def read(report: str) -> tuple[set[str], set[str]]:
    """(affirmed, denied) findings of a report, clause by clause (NegEx: Chapman et al. 2001)."""
    affirmed, denied = set(), set()
    for sentence in report.lower().rstrip(".").split(". "):
        for code, pattern in MEANS.items():
            for match in re.finditer(pattern, sentence):
                before, after = sentence[: match.start()], sentence[match.end() :]
                before = before.replace("without p waves", "").replace("no p waves", "")
                denying = re.search(DENIES_BEFORE, before) or re.search(DENIES_AFTER, after)
                (denied if denying else affirmed).add(code)
    return affirmed, denied


@pytest.fixture(scope="module")
def listed():
    return list_records(21, N)


def test_the_reading_rules_tell_affirmed_from_denied():
    assert read("Sinus rhythm. No LVH, no atrial fibrillation.") == ({"SR"}, {"LVH", "AFIB"})
    assert read("Atrial fibrillation, no P waves. Left bundle branch block not seen.") == (
        {"AFIB"},
        {"CLBBB"},
    )
    assert read("Evidence of old inferior infarction. Sinus tachycardia.") == ({"IMI", "STACH"}, set())


@pytest.mark.parametrize("seed", [642, 507])
def test_a_report_takes_as_many_draws_as_its_findings_need(seed):
    """One of the first 3,400 records of seed 642 needs more than 40."""
    listed = list_records(seed, 3400)
    assert all(read(report)[0] == set(codes) for report, codes in zip(listed.reports, listed.findings, strict=True))


def test_reports_affirm_exactly_their_findings(listed):
    for report, findings in zip(listed.reports, listed.findings, strict=True):
        affirmed, denied = read(report)
        assert affirmed == set(findings), report
        assert not denied & set(findings), report


def test_three_in_ten_deny_something_and_every_finding_is_denied(listed):
    denied = [read(report)[1] for report in listed.reports]
    assert 0.26 < np.mean([bool(each) for each in denied]) < 0.34
    counts = {code: sum(code in each for each in denied) for code in MEANS}
    assert min(counts.values()) > 0.01 * N, counts
    for word in WORDS:
        assert sum(f"no evidence of {word}" in report.lower() for report in listed.reports) >= 5, word


WORDS = (
    "sinus rhythm",
    "atrial fibrillation",
    "sinus tachycardia",
    "sinus bradycardia",
    "first degree av block",
    "left bundle branch block",
    "right bundle branch block",
    "inferior myocardial infarction",
    "anterior myocardial infarction",
    "left ventricular hypertrophy",
    "st depression",
)


def test_sinus_rhythm_is_denied_in_fibrillation_only(listed):
    for report, findings in zip(listed.reports, listed.findings, strict=True):
        assert "SR" not in read(report)[1] or "AFIB" in findings


def test_st_depression_is_not_denied_where_another_finding_depresses_st(listed):
    others = {"CLBBB", "CRBBB", "IMI", "AMI", "LVH"}
    for report, findings in zip(listed.reports, listed.findings, strict=True):
        assert "STD_" not in read(report)[1] or not others & set(findings), report


def test_denial_does_not_tell_the_other_findings(listed):
    """A word of denial must not stand for health: ill and healthy hearts get it alike."""
    has = np.array([bool(read(report)[1]) for report in listed.reports])
    normal = np.array([f == ("SR",) for f in listed.findings])
    assert abs(has[normal].mean() - has[~normal].mean()) < 0.05


def test_a_normal_ecg_is_said_of_normal_records_only(listed):
    for report, findings in zip(listed.reports, listed.findings, strict=True):
        said = re.search(r"normal ecg|normal tracing|within normal limits\.? *$|unremarkable", report.lower())
        if said and "abnormal" not in report.lower():
            ends_in_qtc = report.lower().rstrip(".").endswith("qtc within normal limits")
            assert findings == ("SR",) or ends_in_qtc, report


def test_reports_are_short_and_varied(listed):
    words = np.array([len(re.findall(r"\w+|[^\w\s]", clean(report, "synthetic"))) for report in listed.reports])
    assert np.percentile(words, 95) <= 40 and words.max() <= 60 and words.min() >= 2
    assert len(set(listed.reports)) > 0.6 * N


def test_the_rate_in_the_report_is_the_rate_of_the_recording():
    made = generate(22, 200)
    checked = 0
    for report, onset in zip(made.reports, made.onset_s, strict=True):
        told = re.search(r"(?:at|rate|rate of|rhythm,|tachycardia,) (\d+)(?: bpm|/min)?", report)
        if told:
            assert abs(int(told[1]) - 60 / np.mean(np.diff(onset))) <= 1, report
            checked += 1
    assert checked > 60


def test_voltage_is_blamed_only_when_it_is_high():
    made = generate(23, 800)
    lead = {name: made.clean_mv[:, k] for k, name in ((6, "V1"), (10, "V5"), (11, "V6"))}
    sokolow = np.maximum(lead["V5"].max(axis=1), lead["V6"].max(axis=1)) - lead["V1"].min(axis=1)
    blamed = np.array([bool(re.search(r"voltage|deep s", report.lower())) for report in made.reports])
    readable = np.array(["PVC" not in codes for codes in made.findings])  # their beats are taller than any other
    sokolow, blamed = sokolow[readable], blamed[readable]
    assert blamed.sum() >= 10
    assert np.median(sokolow[blamed]) > 3.5 > np.percentile(sokolow[~blamed], 70)
    assert sokolow[blamed].min() > 2.6  # the report judges an average chest wall, each patient's differs
