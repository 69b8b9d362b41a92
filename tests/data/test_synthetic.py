"""The synthetic recordings are physiological: measured on the signal, not read from generator's tables."""

import dataclasses

import numpy as np
import pytest

from cgdmer_jax.data.sources import synthetic as source
from cgdmer_jax.data.synthetic import SyntheticRecords, generate, generate_records, list_records
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform import LEADS

RATE = 250
N = 600


@pytest.fixture(scope="module")
def made() -> SyntheticRecords:
    return generate(11, N, RATE)


@pytest.fixture(scope="module")
def beats(made) -> np.ndarray:
    """Mean noise-free beat of every record, 0.24 s before to 0.5 s after the QRS onset, [n, 12, time] mV."""
    before, after = round(0.24 * RATE), round(0.50 * RATE)
    means = []
    for signal, onset in zip(made.clean_mv, made.onset_s, strict=True):
        at = np.round(onset * RATE).astype(int)
        at = at[(at >= before) & (at + after <= signal.shape[1])]
        means.append(np.mean([signal[:, a - before : a + after] for a in at], axis=0))
    mean = np.array(means)
    level = mean[:, :, before - round(0.03 * RATE) : before - round(0.01 * RATE)].mean(axis=2, keepdims=True)
    return mean - level  # the PQ segment is zero, as a reader takes it


def window(beats, lead: str, from_s: float, to_s: float) -> np.ndarray:
    """Samples of one lead between two times after the QRS onset, [n, time]."""
    first = round(0.24 * RATE)
    return beats[:, LEADS.index(lead), first + round(from_s * RATE) : first + round(to_s * RATE)]


def which(made, *, has: tuple[str, ...] = (), lacks: tuple[str, ...] = ()) -> np.ndarray:
    chosen = [all(c in f for c in has) and not any(c in f for c in lacks) for f in made.findings]
    return np.array(chosen)


def test_limb_leads_follow_einthoven_and_goldberger_with_noise_and_all(made):
    i, ii, iii, avr, avl, avf = (made.signal_mv[:, lead] for lead in range(6))
    np.testing.assert_allclose(iii, ii - i, atol=2e-5)
    np.testing.assert_allclose(avr, -(i + ii) / 2, atol=2e-5)
    np.testing.assert_allclose(avl, (i - iii) / 2, atol=2e-5)
    np.testing.assert_allclose(avf, (ii + iii) / 2, atol=2e-5)
    assert np.abs(made.signal_mv - made.clean_mv).max() > 0.1  # the noise is there


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


def test_every_finding_has_its_share_and_a_third_is_normal():
    findings = list_records(1, 4000).findings
    share = {code: np.mean([code in f for f in findings]) for code in ("AFIB", "STACH", "CLBBB", "IMI", "LVH")}
    assert all(0.12 <= value <= 0.25 for value in share.values()), share
    assert 0.30 <= np.mean([f == ("SR",) for f in findings]) <= 0.40
    assert np.mean([len(f) > 2 for f in findings]) > 0.02  # several may meet


def test_exclusive_findings_never_meet():
    for codes in list_records(2, 3000).findings:
        assert sum(code in codes for code in ("SR", "AFIB", "STACH")) == 1
        assert not ("CLBBB" in codes and ("IMI" in codes or "LVH" in codes))


def test_scars_stay_with_the_patient_and_a_quarter_of_patients_come_twice():
    listed = list_records(7, 1000)
    visits: dict[str, list[int]] = {}
    for i, patient in enumerate(listed.patient_ids):
        visits.setdefault(patient, []).append(i)
    assert np.mean([len(lines) == 2 for lines in visits.values()]) == pytest.approx(0.25)
    rhythms = {"SR", "AFIB", "STACH"}
    for lines in visits.values():
        assert len({tuple(set(listed.findings[i]) - rhythms) for i in lines}) == 1
        assert len({listed.sex[i] for i in lines}) == 1 and np.ptp(listed.age[lines]) <= 5


def test_fibrillation_is_irregular_and_tachycardia_fast(made):
    rr = [np.diff(onset) for onset in made.onset_s]
    variation = np.array([np.std(each) / np.mean(each) for each in rr])
    bpm = np.array([60 / np.mean(each) for each in rr])
    afib, stach = which(made, has=("AFIB",)), which(made, has=("STACH",))
    assert np.median(variation[afib]) > 3 * np.median(variation[~afib])
    assert np.percentile(variation[afib], 10) > np.percentile(variation[~afib], 80)
    assert bpm[stach].min() >= 99 and bpm[which(made, has=("SR",))].max() <= 101
    assert np.ptp(bpm[afib]) > 60  # a fast and a slow fibrillation: the rate does not give it away


def test_p_waves_stand_before_sinus_beats_only(made, beats):
    p = window(beats, "II", -0.18, -0.05).max(axis=1)
    afib = which(made, has=("AFIB",))
    assert np.mean(p[~afib] > 0.05) > 0.85
    # averaged over beats, fibrillatory waves shrink; in the single beat they are seen
    assert np.median(p[afib]) < 0.4 * np.median(p[~afib])
    v1 = made.clean_mv[:, LEADS.index("V1")]
    quiet = np.array([_before_qrs_spread(*pair) for pair in zip(v1, made.onset_s, strict=True)])
    assert np.median(quiet[afib]) > 2 * np.median(quiet[which(made, has=("SR",))])


def _before_qrs_spread(lead, onset):
    """Beat-to-beat standard deviation of a lead 0.2 to 0.05 s before the QRS: what no beat locks."""
    at = np.round(onset[onset > 0.3] * RATE).astype(int)
    segments = np.array([lead[a - round(0.2 * RATE) : a - round(0.05 * RATE)] for a in at])
    segments = segments - segments.mean(axis=1, keepdims=True)
    return np.median(segments.std(axis=0))


def qrs_width(beats: np.ndarray) -> np.ndarray:
    """Seconds during which the QRS is steep: slope of the 8 independent leads over a tenth of its peak."""
    independent = [LEADS.index(lead) for lead in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]
    first = round(0.24 * RATE)
    slope = np.abs(np.diff(beats[:, independent, first - 5 : first + round(0.22 * RATE)], axis=2)).sum(axis=1)
    steep = slope > 0.1 * slope.max(axis=1, keepdims=True)
    return (steep.shape[1] - steep[:, ::-1].argmax(axis=1) - steep.argmax(axis=1)) / RATE


def test_bundle_branch_block_is_wide_and_discordant(made, beats):
    block = which(made, has=("CLBBB",))
    width = qrs_width(beats)
    assert np.median(width[~block]) < 0.11 and width[block].min() > 0.115
    v1, v6 = window(beats, "V1", 0.0, 0.16)[block], window(beats, "V6", 0.0, 0.16)[block]
    assert np.mean(-v1.min(axis=1) > 3 * v1.max(axis=1)) > 0.9  # QS or rS
    assert np.mean(v6.max(axis=1) > 5 * -v6.min(axis=1)) > 0.9  # broad R without q
    sinus = block & ~which(made, has=("STACH",)) & ~which(made, has=("AFIB",))
    assert np.mean(window(beats, "V1", 0.26, 0.40)[sinus].max(axis=1) > 0.1) > 0.9
    assert np.mean(window(beats, "V6", 0.26, 0.40)[sinus].min(axis=1) < -0.05) > 0.9


def test_inferior_infarction_digs_q_waves_where_the_inferior_wall_looks(made, beats):
    scar, other = which(made, has=("IMI",)), which(made, lacks=("IMI", "CLBBB"))
    for lead, least in (("III", 0.85), ("aVF", 0.85), ("II", 0.5)):
        q = -window(beats, lead, 0.0, 0.035).min(axis=1)
        assert np.mean(q[scar] > 0.12) > least, lead
        assert 0.0 < np.mean(q[other] > 0.12) < 0.3, lead  # small ones occur in health: the overlap
    depth = {lead: -window(beats, lead, 0.0, 0.035)[scar].min(axis=1) for lead in ("III", "V5")}
    assert np.median(depth["V5"]) < 0.4 * np.median(depth["III"])  # it is not a lateral infarction


def test_hypertrophy_overlaps_tall_normal_voltages_and_turns_t_away(made, beats):
    lvh, other = which(made, has=("LVH",)), which(made, lacks=("LVH", "CLBBB"))
    r_v5, r_v6 = (window(beats, lead, 0.0, 0.12).max(axis=1) for lead in ("V5", "V6"))
    sokolow = np.maximum(r_v5, r_v6) - window(beats, "V1", 0.0, 0.12).min(axis=1)
    above = np.mean(sokolow[lvh][:, None] > sokolow[other][None])  # = AUROC of the criterion
    assert 0.70 < above < 0.95
    assert np.mean(sokolow[other] > np.median(sokolow[lvh])) > 0.02
    t_v6 = window(beats, "V6", 0.20, 0.36)
    inverted = -t_v6.min(axis=1) > np.maximum(t_v6.max(axis=1), 0.02)
    assert np.mean(inverted[lvh]) > 0.35 and np.mean(inverted[other]) < 0.12


def test_normal_hearts_look_normal(made, beats):
    normal = np.array([f == ("SR",) for f in made.findings])
    r = {lead: window(beats, lead, 0.0, 0.12)[normal].max(axis=1) for lead in LEADS}
    s = {lead: -window(beats, lead, 0.0, 0.12)[normal].min(axis=1) for lead in LEADS}
    ratio = {lead: np.median(r[lead] / (r[lead] + s[lead])) for lead in ("V1", "V2", "V3", "V4", "V5", "V6")}
    assert ratio["V1"] < ratio["V3"] < ratio["V4"] < ratio["V5"] and ratio["V6"] > 0.8  # R progression
    assert 0.5 < np.median(r["II"]) < 1.5 and 0.8 < np.median(s["V2"]) < 2.0 and np.median(r["V5"]) > 0.8
    t = {lead: window(beats, lead, 0.22, 0.38)[normal] for lead in ("I", "II", "V4", "aVR")}
    assert all(np.mean(t[lead].max(axis=1) > -t[lead].min(axis=1)) > 0.9 for lead in ("I", "II", "V4"))
    assert np.mean(-t["aVR"].min(axis=1) > t["aVR"].max(axis=1)) > 0.95
    assert np.std(np.log(r["V5"])) > 0.2  # gain differs widely from patient to patient


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
    for n, rate, seed in ((0, 100, 0), (5, 20, 0), (5, 100, -1)):
        with pytest.raises(CgdmerError, match="ask for at least 1 record"):
            source.open_source(n, rate, seed)
