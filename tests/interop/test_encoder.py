"""An encoder in use: the same recording however it is given, whole batches or one by one; else one clear sentence."""

import dataclasses

import numpy as np
import pytest

from cgdmer_jax.contract import prepare, signal_sha256
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import load, save_model
from cgdmer_jax.waveform import LEADS


@pytest.fixture(scope="module")
def encoder(model):
    return load(model)


@pytest.fixture(scope="module")
def embedded(encoder, recordings_mv):
    return encoder.embed(recordings_mv, 500, LEADS, "mV")


def test_features_are_those_of_the_method_with_their_widths(encoder, embedded):
    assert embedded.shape == (5, encoder.features["main"]) and embedded.std(0).min() > 0
    assert encoder.features["aligned"] == 12


def test_one_signal_a_list_a_generator_and_an_array_give_the_same(encoder, embedded, recordings_mv):
    np.testing.assert_allclose(encoder.embed(recordings_mv[3], 500, LEADS, "mV"), embedded[3], atol=1e-6)
    for signals in (list(recordings_mv), iter(recordings_mv), (one for one in recordings_mv)):
        np.testing.assert_allclose(encoder.embed(signals, 500, LEADS, "mV"), embedded, atol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1e3), ("V", 1e-3)])
def test_the_unit_of_the_same_recording_changes_nothing(encoder, embedded, recordings_mv, unit, factor):
    np.testing.assert_allclose(encoder.embed(recordings_mv * factor, 500, LEADS, unit), embedded, atol=1e-6)


def test_the_order_and_spelling_of_leads_change_nothing(encoder, embedded, recordings_mv):
    order = np.random.default_rng(1).permutation(12)
    names = [f"Lead {LEADS[at].upper()}" for at in order]
    np.testing.assert_allclose(encoder.embed(recordings_mv[:, order], 500, names, "mV"), embedded, atol=1e-6)


def test_the_model_rate_itself_gives_nearly_the_same_as_500_hz(encoder, embedded, recordings_mv):
    """Slow sines: decimation loses nothing but rounding and the resampler's ends."""
    found = encoder.embed(recordings_mv[:, :, ::5], 100, LEADS, "mV")
    assert np.abs(found - embedded).max() < 0.02 * np.abs(embedded).max()


def test_a_lead_left_out_and_a_lead_of_nan_are_the_same_absent_lead(encoder, recordings_mv):
    nan = recordings_mv.copy()
    nan[:, 11] = np.nan
    np.testing.assert_array_equal(
        encoder.embed(nan, 500, LEADS, "mV"), encoder.embed(recordings_mv[:, :11], 500, LEADS[:11], "mV")
    )


def test_no_signals_give_no_rows(encoder):
    assert encoder.embed([], 500, LEADS, "mV").shape == (0, encoder.features["main"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "uV"}, 'the unit is more likely "mV"'),
        ({"rate": 50}, "below the 100 Hz"),
        ({"leads": [*LEADS[:11], "W9"], "feature": "mane"}, 'Did you mean "main"'),
        ({"leads": ["a", *LEADS[1:11], "II"]}, "are both II"),
        ({"leads": [*LEADS[:11], "aVLx"]}, 'lead "aVLx" is none of the twelve.*Did you mean "aVL"'),
        ({"leads": LEADS[:4]}, r"signal has shape \[12, 5000\], expected \[4 named leads"),
    ],
)
def test_what_cannot_be_converted_is_refused(encoder, recordings_mv, change, words):
    given = {"rate": 500, "leads": LEADS, "unit": "mV"} | change
    with pytest.raises(CgdmerError, match=words):
        encoder.embed(recordings_mv[0], **given)


def test_the_signal_that_is_refused_is_named(encoder, recordings_mv):
    flat = [recordings_mv[0], recordings_mv[1] * 0]
    with pytest.raises(CgdmerError, match="signal 1: every lead is without measurement"):
        encoder.embed(flat, 500, LEADS, "mV")


def test_texts_are_unit_vectors_cleaned_as_reports_whatever_their_number(encoder):
    texts = [f"sinus rhythm {'.' * (n % 3)} normal ecg" for n in range(70)]
    vectors = encoder.embed_text(texts)
    assert vectors.shape == (70, 12)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_text([texts[66].upper() + "  "])[0], vectors[66], atol=1e-6)
    assert encoder.embed_text([]).shape == (0, 12)


def test_zero_shot_is_the_cosine_to_the_mean_of_each_class_of_phrasings(encoder, recordings_mv):
    prompts = {"SR": ["sinus rhythm", "normal ecg"], "AFIB": ["atrial fibrillation", "rapid response"]}
    scores = encoder.zero_shot(recordings_mv, prompts, 500, LEADS, "mV")
    ecg = encoder.embed(recordings_mv, 500, LEADS, "mV", feature="aligned")
    vectors = np.stack([encoder.embed_text(texts).mean(0) for texts in prompts.values()])
    expected = ecg @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    one = encoder.zero_shot(recordings_mv[2], prompts, 500, LEADS, "mV")
    np.testing.assert_allclose(one, scores[2], atol=1e-6)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ({"SR": "sinus rhythm", "AFIB": ["a", "b"]}, r"unequal numbers of phrasings \(SR 1, AFIB 2\)"),
        ({"SR": []}, "SR 0"),
        ({}, "unequal"),
        ({"SR": " .. "}, 'prompt of class "SR" holds no clinical text'),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(encoder, recordings_mv, prompts, words):
    with pytest.raises(CgdmerError, match=words):
        encoder.zero_shot(recordings_mv, prompts, 500, LEADS, "mV")


def test_one_string_as_texts_and_a_blank_text_are_refused(encoder):
    with pytest.raises(CgdmerError, match="texts is one string"):
        encoder.embed_text("sinus rhythm")
    with pytest.raises(CgdmerError, match="text 1 holds no clinical text"):
        encoder.embed_text(["sinus rhythm", ""])


def test_a_recording_that_was_trained_on_is_known_again_whatever_its_unit(exported, recordings_mv, tmp_path):
    seen = signal_sha256(prepare(exported["contract"], recordings_mv[1], 500, LEADS, "mV").signal)
    part = dataclasses.replace(exported["contract"].trained_on[0], signal_sha256=(seen,))
    contract = dataclasses.replace(exported["contract"], trained_on=(part,))
    save_model(tmp_path / "model", **exported | {"contract": contract})
    found = load(tmp_path / "model").was_trained_on(recordings_mv[:3] * 1000, 500, LEADS, "uV")
    assert found.tolist() == [False, True, False]
