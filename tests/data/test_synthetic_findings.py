"""Each synthetic finding is seen where a cardiologist looks: measured on the signal, not read from the tables."""

import numpy as np
import pytest

from cgdmer_jax.data.synthetic.dataset import SyntheticRecords, generate
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.synthetic_measures import RATE, median_beats, qrs_width, which, window

BLOCKS = ("CLBBB", "CRBBB")
SHAPES = (*BLOCKS, "IMI", "AMI", "LVH", "STD_")


@pytest.fixture(scope="module")
def made() -> SyntheticRecords:
    return generate(11, 900, RATE)


@pytest.fixture(scope="module")
def beats(made) -> np.ndarray:
    return median_beats(made)


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


def test_bradycardia_is_slow_and_normal_sinus_rhythm_is_not(made):
    bpm = np.array([60 / np.median(np.diff(onset)) for onset in made.onset_s])
    assert bpm[which(made, has=("SBRAD",))].max() < 62 and bpm[which(made, has=("SBRAD",))].min() > 33
    assert np.percentile(bpm[which(made, has=("SR",))], 1) > 58


def test_first_degree_block_sets_p_further_from_the_qrs(made, beats):
    bpm = np.array([60 / np.median(np.diff(onset)) for onset in made.onset_s])
    slow = which(made, lacks=("AFIB", "STACH")) & (bpm < 80)  # where P stands free of the T before it
    p_to_qrs = 0.32 - window(beats, "II", -0.32, -0.06).argmax(axis=1) / RATE  # from the peak of P
    block = which(made, has=("1AVB",))
    assert np.percentile(p_to_qrs[slow & block], 5) > 0.15 > 0.145 > np.percentile(p_to_qrs[slow & ~block], 95)


def test_ventricular_premature_beats_come_early_are_wide_and_are_followed_by_a_pause(made):
    lead = [LEADS.index(name) for name in ("I", "II", "V1", "V2", "V5")]
    coupling, pause, width = [], [], []
    for i in np.flatnonzero(which(made, has=("PVC",), lacks=BLOCKS)):
        onset, signal = made.onset_s[i], made.clean_mv[i, lead]
        rr = np.diff(onset)
        early = [k for k in range(1, len(rr)) if rr[k - 1] < 0.8 * np.median(rr)]
        assert early, f"record {i} has no early beat"
        k = early[0]
        coupling.append(rr[k - 1] / np.median(rr))
        pause.append((rr[k - 1] + rr[k]) / np.median(rr))
        late = {}  # what moves 0.09 to 0.16 s after the onset: only a wide QRS
        for name, beat in (("early", k), ("other", k - 1)):
            at = round(onset[beat] * RATE)
            late[name] = np.ptp(signal[:, at + round(0.09 * RATE) : at + round(0.16 * RATE)], axis=1).max()
        width.append(late["early"] / late["other"])
    assert 0.5 < np.median(coupling) < 0.8
    assert np.percentile(pause, 10) > 1.85 and np.percentile(pause, 90) < 2.15  # the sinus node keeps its time
    assert np.median(width) > 3 and np.percentile(width, 5) > 1.2
    none = which(made, lacks=("PVC", "AFIB"))
    ratio = [np.diff(onset).min() / np.median(np.diff(onset)) for onset in np.array(made.onset_s, object)[none]]
    assert 0 < np.mean(np.array(ratio) < 0.75) < 0.10  # atrial premature beats occur, seldom


def test_right_bundle_branch_block_ends_to_the_right_and_the_front(made, beats):
    block, other = which(made, has=("CRBBB",)), which(made, lacks=BLOCKS)
    assert qrs_width(beats)[block].min() > 0.115
    late = {lead: window(beats, lead, 0.06, 0.15) for lead in ("V1", "I", "V6")}
    first_r = window(beats, "V1", 0.0, 0.04).max(axis=1)
    assert np.mean(late["V1"].max(axis=1)[block] > np.maximum(0.3, first_r[block])) > 0.9  # rsR'
    assert np.mean(late["V1"].max(axis=1)[other] > 0.3) < 0.03
    for lead, least in (("I", 0.15), ("V6", 0.22)):  # broad S
        assert np.mean(-late[lead].min(axis=1)[block] > least) > 0.9, lead
        assert np.mean(-late[lead].min(axis=1)[other] > least) < 0.1, lead
    calm = block & which(made, lacks=("STACH", "IMI"))
    assert np.mean(window(beats, "V1", 0.26, 0.42)[calm].min(axis=1) < -0.05) > 0.9  # T against the late QRS
    assert np.mean(window(beats, "V6", 0.26, 0.42)[calm].max(axis=1) > 0.05) > 0.9


def test_anterior_infarction_takes_the_r_waves_of_the_front(made, beats):
    scar, other = which(made, has=("AMI",)), which(made, lacks=("AMI", "LVH", *BLOCKS))
    for lead in ("V1", "V2", "V3"):
        first = window(beats, lead, 0.0, 0.03)  # the r that is lost
        assert np.mean(first[scar].max(axis=1) < 0.05) > 0.9, lead
        assert np.mean(first[other].max(axis=1) < 0.05) < 0.1, lead
    q = {lead: -window(beats, lead, 0.0, 0.035).min(axis=1) for lead in ("V2", "V3", "V6", "aVF")}
    assert np.median(q["V2"][scar]) > 0.5 and np.median(q["V3"][scar]) > 0.4
    alone = which(made, has=("AMI",), lacks=("IMI",))
    assert np.median(q["V6"][alone]) < 0.25 and np.median(q["aVF"][alone]) < 0.25  # neither lateral nor inferior
    calm = scar & which(made, lacks=("STACH", "PVC"))
    t = window(beats, "V2", 0.20, 0.38)
    assert np.mean(-t[calm].min(axis=1) > t[calm].max(axis=1)) > 0.6
    assert np.mean(-t[other].min(axis=1) > t[other].max(axis=1)) < 0.05


def test_st_depression_is_seen_from_the_left_and_not_in_v2(made, beats):
    has = which(made, has=("STD_",), lacks=("STACH",))
    other = which(made, lacks=(*SHAPES, "STACH"))
    level = {lead: window(beats, lead, 0.14, 0.17).mean(axis=1) for lead in ("I", "V2", "V4", "V5", "V6")}
    for lead in ("V4", "V5", "V6"):
        assert np.mean(level[lead][has] < -0.04) > 0.85, lead
        assert np.mean(level[lead][other] < -0.04) < 0.02, lead
    assert np.median(level["I"][has]) < -0.04 < 0 < np.median(level["I"][other])
    assert np.median(level["V2"][has]) > -0.05
    v5 = window(beats, "V5", 0.20, 0.38)[has]
    assert np.mean(v5.max(axis=1) > -0.05) > 0.7  # T itself is not turned, as it is in strain
