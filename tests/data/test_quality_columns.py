"""Quality marks that conversion sets on every recording, in records.parquet and counted in dataset.json."""

import hashlib

import numpy as np
import pytest

from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.source import Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.waveform.conditioning import LEADS
from tests.waveform.test_conditioning import heart
from tests.waveform.test_limb_leads import leads_of

SHAPES = np.array([-0.4, 0.3, 0.5, -0.4, 0.6, 0.4, 0.8, 1.0, 0.9])[:, None]  # how each electrode sees the beat


def recording(record: SourceRecord) -> Recording:
    """Row 0 whole; 1 arms exchanged; 2 without III; 3 V1 of 20 mV; 4 part of V2 lost; 5 II and III exchanged."""
    electrodes = SHAPES * heart(leads=1)
    right, left, foot, chest = *electrodes[:3], electrodes[3:]
    signal = leads_of(left, right, foot, chest) if record.location == 1 else leads_of(right, left, foot, chest)
    match record.location:
        case 2:
            signal[2] = np.nan
        case 3:
            signal[6] *= 100
        case 4:
            signal[7, 300:320] = np.nan
        case 5:
            signal[[1, 2]] = signal[[2, 1]]
    return Recording(signal.astype(np.float32), 100.0, LEADS, record.record_id)


def with_frank_leads(record: SourceRecord) -> Recording:
    """The same; rows 0 and 1 have vx beside the twelve, row 1 also what was meant to be V1."""
    plain = recording(record)
    extra = ((), ("vx", "W1"), ("vx",))[max(0, 2 - record.location)]
    signal_mv = np.concatenate([plain.signal_mv[[7] * len(extra)], plain.signal_mv])  # before the twelve
    return Recording(signal_mv, plain.rate, (*extra, *plain.names), plain.path)


def write(folder, read=recording, **settings):
    records = [SourceRecord(f"r{n}", f"p{n}", 1, "", None, None, None, {}, n) for n in range(6)]
    source = Source("synthetic", "none", "none", records, {}, read, {}, 100.0)
    summary = convert(source, folder, rate=100, progress=False, **settings)
    return open_store(folder), summary


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write(tmp_path_factory.mktemp("quality") / "store")


def test_marks_are_counted_by_record(made):
    store, summary = made
    expected = {
        "lead_absent": 1,
        "lead_flagged": 1,
        "lead_implausible": 1,
        "lead_derived": 0,
        "arms_swapped": 1,
        "limb_leads_disagree": 1,
        "no_report": 6,
    }
    assert store.info["quality"] == summary.quality == expected
    assert store.column("arms_swapped").tolist() == [False, True, False, False, False, False]
    assert store.column("limb_leads_disagree").tolist() == [False, False, False, False, False, True]
    assert np.argwhere(store.column("lead_implausible")).tolist() == [[3, 6]]
    assert np.argwhere(store.column("lead_flagged")).tolist() == [[4, 7]]


def test_shares_and_amplitudes_stand_in_the_table(made):
    store, _ = made
    assert store.column("nan_share")[4, 7] == pytest.approx(0.02)
    assert store.column("nan_share")[2, 2] == 1 and np.isnan(store.column("amplitude_mv")[2, 2])
    assert store.column("amplitude_mv")[3, 6] == pytest.approx(100 * store.column("amplitude_mv")[0, 6], rel=1e-3)
    assert not store.column("clipped_share").any()


def test_residuals_are_nothing_but_rounding_and_unknown_without_lead_iii(made):
    store, _ = made
    einthoven, goldberger = store.column("einthoven_mv"), store.column("goldberger_mv")
    assert np.isnan([einthoven[2], goldberger[2]]).all()
    assert max(*np.delete(einthoven, (2, 5)), *np.delete(goldberger, (2, 5))) <= 1e-4


def test_the_residuals_of_exchanged_ii_and_iii_are_those_of_the_arithmetic(made):
    """I + II - III = 2 I where II = I + III."""
    store, _ = made
    one_mv = store.read(np.array([5]))[0, 0] / 1000
    assert store.column("einthoven_mv")[5] == pytest.approx(np.sqrt(np.mean((2 * one_mv) ** 2)), rel=1e-3)


def test_a_flag_follows_from_the_numbers_beside_it(made):
    store, _ = made
    worst = np.fmax(store.column("einthoven_mv"), store.column("goldberger_mv"))
    share = worst / np.nanmedian(store.column("amplitude_mv")[:, :6], axis=1)
    np.testing.assert_array_equal(store.column("limb_leads_disagree"), share > 0.05)


def test_signals_beside_the_twelve_leads_are_counted_by_name_and_change_nothing(made, tmp_path):
    store, summary = made
    assert summary.extra_leads == store.info["extra_leads"] == {}
    beside, told = write(tmp_path / "beside", with_frank_leads)
    assert told.extra_leads == beside.info["extra_leads"] == {"W1": 1, "vx": 2}
    np.testing.assert_array_equal(beside.read(np.arange(6)), store.read(np.arange(6)))


def test_nothing_that_is_suspected_is_changed(made):
    store, _ = made
    for row in range(6):
        record = SourceRecord(f"r{row}", "", 1, "", None, None, None, {}, row)
        expected = np.rint(recording(record).signal_mv * 1000)
        kept = np.isfinite(expected)
        np.testing.assert_allclose(store.read(np.array([row]))[0][kept], expected[kept], atol=1)


def test_recordings_are_named_by_the_hash_of_their_stored_samples(made):
    store, _ = made
    expected = [hashlib.sha256(one.tobytes()).hexdigest()[:16] for one in store.read(np.arange(6))]
    assert store.column("signal_sha256").tolist() == expected
    assert len(set(expected)) == 6


def test_derived_limb_leads_are_stored_and_marked_on_request(made, tmp_path):
    store, _ = made
    derived, summary = write(tmp_path / "derived", derive_limb_leads=True)
    assert summary.quality["lead_derived"] == 1
    assert np.argwhere(derived.column("lead_derived")).tolist() == [[2, 2]]
    assert derived.column("lead_mask").all() and not store.column("lead_mask")[2, 2]
    one, two, three = derived.read(np.array([2]))[0, :3].astype(int)
    assert np.abs(two - one - three).max() <= 1
    assert derived.fingerprint != store.fingerprint
