"""The arithmetic of the limb leads, from electrodes; derived leads; the sign of exchanged arm electrodes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cgdmer_jax.data.readers.wfdb import read_wfdb
from cgdmer_jax.waveform.conditioning import arrange
from cgdmer_jax.waveform.limb_leads import (
    Agreement,
    agreement,
    derivable,
    derive,
    einthoven_residual,
    goldberger_residuals,
)
from cgdmer_jax.waveform.quality import lead_quality
from tests.real_recordings import unpack
from tests.waveform.test_conditioning import heart

NONE = np.zeros(12, bool)


def leads_of(right_arm, left_arm, foot, chest) -> np.ndarray:
    """The twelve leads of nine electrodes: Einthoven's differences, Goldberger's and Wilson's terminals."""
    terminal = (right_arm + left_arm + foot) / 3
    limb = [left_arm - right_arm, foot - right_arm, foot - left_arm]
    augmented = [1.5 * (electrode - terminal) for electrode in (right_arm, left_arm, foot)]
    return np.stack([*limb, *augmented, *(chest - terminal)])


def agree(signal: np.ndarray, absent: np.ndarray = NONE) -> Agreement:
    return agreement(signal, absent, lead_quality(signal).amplitude_mv)


@pytest.fixture
def electrodes() -> np.ndarray:
    """A beat that the left arm and the chest see upright and the right arm upside down."""
    return np.array([-0.4, 0.3, 0.5, -0.2, 0.1, 0.4, 0.8, 1.0, 0.9])[:, None] * heart(leads=1)


@given(electrodes=hnp.arrays(np.float64, (9, 20), elements=st.floats(-5, 5)))
def test_leads_made_from_electrodes_obey_einthoven_and_goldberger(electrodes):
    signal = leads_of(*electrodes[:3], electrodes[3:])
    assert np.abs(einthoven_residual(signal)).max() < 1e-12
    assert np.abs(goldberger_residuals(signal)).max() < 1e-12
    found = agree(signal)
    assert found.einthoven_mv < 1e-12 and found.goldberger_mv < 1e-12


def test_exchanged_limb_leads_break_the_identities():
    signal = heart()
    signal[2] = signal[1] - signal[0]
    signal[3:6] = [-(signal[0] + signal[1]) / 2, (signal[0] - signal[2]) / 2, (signal[1] + signal[2]) / 2]
    assert np.abs(einthoven_residual(signal)).max() < 1e-12
    assert np.abs(einthoven_residual(signal[[1, 0, *range(2, 12)]])).max() > 0.1
    assert np.abs(goldberger_residuals(signal[[0, 1, 2, 4, 3, *range(5, 12)]])).max() > 0.1


def test_residuals_are_root_mean_squares_in_millivolts(electrodes):
    signal = leads_of(*electrodes[:3], electrodes[3:])
    signal[2] += np.tile([0.3, -0.3], 500)
    signal[4] += 0.1  # aVL: on top of half the error of III
    found = agree(signal)
    assert found.einthoven_mv == pytest.approx(0.3)
    assert found.goldberger_mv == pytest.approx(np.sqrt(0.15**2 + 0.1**2))


def test_residuals_are_unknown_where_a_lead_is_absent(electrodes):
    absent = NONE.copy()
    absent[4] = True
    found = agree(leads_of(*electrodes[:3], electrodes[3:]), absent)
    assert found.einthoven_mv < 1e-12 and np.isnan(found.goldberger_mv)


def test_exchanged_arm_electrodes_are_suspected_and_the_right_ones_are_not(electrodes):
    right_arm, left_arm, foot, chest = *electrodes[:3], electrodes[3:]
    assert not agree(leads_of(right_arm, left_arm, foot, chest)).arms_swapped
    assert agree(leads_of(left_arm, right_arm, foot, chest)).arms_swapped
    without_v6 = NONE.copy()
    without_v6[11] = True
    assert not agree(leads_of(left_arm, right_arm, foot, chest), without_v6).arms_swapped


@pytest.mark.parametrize("one", range(6))
@pytest.mark.parametrize("other", range(6))
def test_two_limb_leads_exchanged_are_flagged_unless_they_look_alike(electrodes, one, other):
    """I and aVF are 0.7 and 0.55 of the beat here, III and aVL 0.2 and 0.25: too alike to tell."""
    signal = leads_of(*electrodes[:3], electrodes[3:])
    signal[[one, other]] = signal[[other, one]]
    assert agree(signal).disagree == (one != other and {one, other} not in ({0, 5}, {2, 4}))


def test_a_residual_is_flagged_from_a_twentieth_of_the_amplitude_on_whatever_the_amplitude(electrodes):
    for gain in (0.1, 1.0, 5.0):
        signal = gain * leads_of(*electrodes[:3], electrodes[3:])
        amplitude_mv = np.median(lead_quality(signal).amplitude_mv[:6])
        for share in (0.04, 0.06):
            spoilt = signal.copy()
            spoilt[4] += share * amplitude_mv * np.tile([1, -1], 500)  # aVL, whose residual it then is
            amplitude = lead_quality(signal).amplitude_mv
            assert agreement(spoilt, NONE, amplitude).disagree == (share > 0.05)


def test_disagreement_needs_no_augmented_lead_and_is_not_said_without_lead_iii(electrodes):
    signal = leads_of(*electrodes[:3], electrodes[3:])[[0, 2, 1, *range(3, 12)]]
    absent = NONE.copy()
    absent[3:6] = True
    assert agree(signal, absent).disagree
    absent[2] = True
    assert not agree(signal, absent).disagree


@given(
    electrodes=hnp.arrays(np.float64, (9, 20), elements=st.floats(-5, 5)),
    present=st.sets(st.integers(0, 5), min_size=2),
)
def test_any_two_limb_leads_give_the_others(electrodes, present):
    whole = leads_of(*electrodes[:3], electrodes[3:])
    absent = ~np.isin(np.arange(12), [*present, *range(6, 12)])
    wanted = derivable(absent)
    np.testing.assert_array_equal(wanted, absent)
    made = derive(np.where(absent[:, None], 0.0, whole), wanted, absent)
    np.testing.assert_allclose(made, whole, atol=1e-12)


def test_one_limb_lead_gives_no_other_and_chest_leads_are_never_derived():
    absent = np.ones(12, bool)
    absent[1] = False
    assert not derivable(absent).any()
    absent[:6], absent[6:] = False, True
    assert not derivable(absent).any()


def test_planted_swaps_of_real_recordings_are_mostly_found_and_the_right_ones_hardly_suspected(shared_data, tmp_path):
    """Exchanged arms: I becomes -I, II and III as well as aVR and aVL change places."""
    paths = unpack(shared_data / "ptb-xl-500hz-sample.tar.xz", tmp_path)
    right = [arrange(r.signal_mv, r.names, "mV").astype(np.float64) for r in map(read_wfdb, paths)]
    suspected = sum(agree(signal).arms_swapped for signal in right)
    exchanged = [signal[[0, 2, 1, 4, 3, *range(5, 12)]] for signal in right]
    for signal in exchanged:
        signal[0] *= -1
    found = sum(agree(signal).arms_swapped for signal in exchanged)
    assert len(right) == 40
    assert found >= 36 and suspected == 0


def test_real_recordings_with_ii_and_iii_exchanged_are_flagged_and_as_they_are_they_are_not(shared_data, tmp_path):
    paths = unpack(shared_data / "ptb-xl-500hz-sample.tar.xz", tmp_path)
    right = [arrange(r.signal_mv, r.names, "mV").astype(np.float64) for r in map(read_wfdb, paths)]
    assert sum(agree(signal).disagree for signal in right) == 0
    assert sum(agree(signal[[0, 2, 1, *range(3, 12)]]).disagree for signal in right) == len(right) == 40
