"""One scale a record: what is in it, what is not, and what survives it."""

from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cgdmer_jax.models.ecg import scaling
from cgdmer_jax.waveform.conditioning import LEADS

RECORDS, SAMPLES = 4, 300
scale = jax.jit(scaling.scale, static_argnames="scaling")
record_std = partial(scale, scaling="record_std")


def recordings(seed: int = 0) -> np.ndarray:
    """int16 [record, lead, time] of ordinary size, offset from zero."""
    draw = np.random.default_rng(seed)
    return np.round(draw.normal(150, 400, (RECORDS, len(LEADS), SAMPLES))).astype(np.int16)


def every_lead() -> np.ndarray:
    return np.ones((RECORDS, len(LEADS)), bool)


def whole() -> np.ndarray:
    return np.full(RECORDS, SAMPLES, np.int32)


def test_scale_is_the_standard_deviation_over_present_leads_and_valid_samples_in_millivolts():
    signal, mask, length = recordings(), every_lead(), np.array([300, 200, 50, 300], np.int32)
    mask[0, [1, 5]] = False
    mask[3, 1:] = False
    scale_mv = record_std(signal, mask, length).scale_mv
    expected = [np.std(signal[i][mask[i], : length[i]] / 1000) for i in range(RECORDS)]
    np.testing.assert_allclose(scale_mv, np.repeat(np.array(expected)[:, None], len(LEADS), 1), rtol=1e-5)


def test_signal_times_scale_gives_back_the_millivolts():
    signal = recordings()
    scaled = record_std(signal, every_lead(), whole())
    np.testing.assert_allclose(scaled.signal * scaled.scale_mv[:, :, None], signal / 1000, atol=1e-5)


def stated_scale_mv(name: str, measured: list[np.ndarray]) -> list[float]:
    """One scale a lead, of what was measured in each: nothing in an absent one."""
    together = np.concatenate(measured)
    of = {"record_std": [together] * len(measured), "lead_std": measured}
    of[scaling.VISIBLE] = of["record_std"]  # nothing is hidden here
    return [max(x.std() if x.size else 0, 0.01) for x in of[name]] if name in of else [1.0] * len(measured)


@pytest.mark.parametrize("name", [*scaling.SCALINGS, scaling.VISIBLE])
@settings(max_examples=50)
@given(
    sizes_uv=hnp.arrays(np.int16, (RECORDS, len(LEADS)), elements=st.integers(0, 1500)),
    offset_uv=st.integers(-1000, 1000),
    mask=hnp.arrays(bool, (RECORDS, len(LEADS))),
    length=hnp.arrays(np.int32, RECORDS, elements=st.integers(0, SAMPLES)),
)
def test_signal_times_scale_is_what_was_measured_of_any_leads_lengths_and_sizes(
    name, sizes_uv, offset_uv, mask, length
):
    signal = (sizes_uv[:, :, None] * np.sin(np.arange(SAMPLES) / 5) + offset_uv).astype(np.int16)
    scaled = scale(signal, mask, length, scaling=name)
    for record in range(RECORDS):
        expected = np.zeros((len(LEADS), SAMPLES))
        expected[mask[record], : length[record]] = signal[record, mask[record], : length[record]] / 1000
        measured = [row[:n] for row, n in zip(expected, mask[record] * length[record], strict=True)]
        np.testing.assert_allclose(scaled.scale_mv[record], stated_scale_mv(name, measured), rtol=1e-4)
        scale_mv = np.asarray(scaled.scale_mv[record])[:, None]
        expected = np.clip(expected, -20 * scale_mv, 20 * scale_mv)
        np.testing.assert_allclose(scaled.signal[record] * scale_mv, expected, atol=1e-5)


def test_lead_identities_survive_the_scale():
    signal = recordings().astype(np.int32)
    i, ii = LEADS.index("I"), LEADS.index("II")
    signal[:, i] &= ~1  # even, so that the halves of Goldberger's identities are whole microvolts
    signal[:, ii] &= ~1
    signal[:, LEADS.index("III")] = signal[:, ii] - signal[:, i]
    signal[:, LEADS.index("aVR")] = -(signal[:, i] + signal[:, ii]) // 2
    signal[:, LEADS.index("aVL")] = signal[:, i] - signal[:, ii] // 2
    scaled = np.asarray(record_std(signal.astype(np.int16), every_lead(), whole()).signal)
    np.testing.assert_allclose(scaled[:, LEADS.index("III")], scaled[:, ii] - scaled[:, i], atol=1e-5)
    np.testing.assert_allclose(scaled[:, LEADS.index("aVR")], -(scaled[:, i] + scaled[:, ii]) / 2, atol=1e-5)
    np.testing.assert_allclose(scaled[:, LEADS.index("aVL")], scaled[:, i] - scaled[:, ii] / 2, atol=1e-5)


@pytest.mark.parametrize("held", [0, 30_000, -1])
def test_absent_lead_is_not_in_the_scale_whatever_it_holds(held):
    signal, mask = recordings(), every_lead()
    mask[:, [2, 9]] = False
    plain = record_std(signal, mask, whole())
    signal[:, [2, 9]] = held
    other = record_std(signal, mask, whole())
    np.testing.assert_array_equal(plain.scale_mv, other.scale_mv)
    np.testing.assert_array_equal(plain.signal, other.signal)
    assert not np.asarray(other.signal)[:, [2, 9]].any()


@pytest.mark.parametrize("held", [0, 30_000])
def test_padding_is_not_in_the_scale_whatever_it_holds(held):
    signal, length = recordings(), np.array([300, 200, 100, 20], np.int32)
    plain = record_std(signal, every_lead(), length)
    beyond = np.arange(SAMPLES)[None, None, :] >= length[:, None, None]
    other = record_std(np.where(beyond, np.int16(held), signal), every_lead(), length)
    np.testing.assert_array_equal(plain.scale_mv, other.scale_mv)
    np.testing.assert_array_equal(plain.signal, other.signal)


def test_a_flat_record_has_the_floor_of_ten_microvolts_and_stays_finite():
    signal = np.zeros((RECORDS, len(LEADS), SAMPLES), np.int16)
    signal[1] = 5
    scaled = record_std(signal, every_lead(), whole())
    np.testing.assert_allclose(scaled.scale_mv, 0.01)
    np.testing.assert_allclose(scaled.signal[1], 0.5, rtol=1e-6)


def test_a_record_without_any_lead_is_zero_and_finite():
    scaled = record_std(recordings(), np.zeros((RECORDS, len(LEADS)), bool), whole())
    assert not np.asarray(scaled.signal).any()
    assert np.isfinite(scaled.scale_mv).all()


def test_values_beyond_twenty_scales_are_clipped():
    signal = np.zeros((RECORDS, len(LEADS), SAMPLES), np.int16)
    signal[:, 0, :2] = 32_000, -32_000
    scaled = np.asarray(record_std(signal, every_lead(), whole()).signal)
    assert (scaled.max(), scaled.min()) == (20.0, -20.0)


def test_microvolts_at_the_ends_of_int16_do_not_overflow():
    signal = np.full((RECORDS, len(LEADS), SAMPLES), 32_767, np.int16)
    signal[:, :, ::2] = -32_767
    np.testing.assert_allclose(record_std(signal, every_lead(), whole()).scale_mv, 32.767, rtol=1e-5)


def test_lead_std_gives_every_lead_its_own_scale_and_fixed_mv_none():
    signal, mask = recordings(), every_lead()
    mask[0, 3] = False
    own = scale(signal, mask, whole(), scaling="lead_std")
    std = np.where(mask, (signal / 1000).std(2), 0.01)
    np.testing.assert_allclose(own.scale_mv, std, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(own.signal).std(2)[mask], 1.0, rtol=1e-3)
    fixed = scale(signal, mask, whole(), scaling="fixed_mv")
    np.testing.assert_allclose(np.asarray(fixed.signal)[mask], signal[mask] / 1000, rtol=1e-6)
    assert (np.asarray(fixed.scale_mv) == 1).all()


@pytest.mark.parametrize("name", [*scaling.SCALINGS, scaling.VISIBLE])
def test_log_std_tells_each_leads_amplitude_under_every_scaling(name):
    signal, mask = recordings(), every_lead()
    mask[1, 2] = False
    found = scale(signal, mask, whole(), scaling=name).log_std
    np.testing.assert_allclose(found, np.log(np.where(mask, (signal / 1000).std(2), 0.01)), rtol=1e-4, atol=1e-4)
