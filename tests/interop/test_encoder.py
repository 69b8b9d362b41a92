"""An encoder in use: the same recording however it is given, whole batches or one by one; else one clear sentence."""

import dataclasses
import pickle
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from cgdmer_jax.batch import blank_batch
from cgdmer_jax.contract import prepare, signal_sha256
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.given_texts import given_phrasings
from cgdmer_jax.interop.pretrained import load, save_model
from cgdmer_jax.methods.zero_shot import class_vectors
from cgdmer_jax.waveform.conditioning import LEADS
from tests.bad_recordings import clean, swapped
from tests.interop.small_model import small_model


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


def test_a_lead_of_zeros_is_absent_too(encoder, recordings_mv):
    zeros = recordings_mv.copy()
    zeros[:, LEADS.index("V2")] = 0
    others = [lead for lead in LEADS if lead != "V2"]
    without = encoder.embed(np.delete(recordings_mv, LEADS.index("V2"), axis=1), 500, others, "mV")
    np.testing.assert_allclose(encoder.embed(zeros, 500, LEADS, "mV"), without, atol=1e-6)


def test_gain_counts_where_tokens_are_told_the_amplitude_of_their_lead_and_nowhere_else(
    encoder, recordings_mv, tmp_path
):
    save_model(tmp_path / "told", **small_model(scale_feature=True))
    told, plain = (
        np.abs(one.embed(2 * recordings_mv, 500, LEADS, "mV") - one.embed(recordings_mv, 500, LEADS, "mV")).max()
        for one in (load(tmp_path / "told"), encoder)
    )
    assert plain < 0.01 < 0.1 < told  # microvolts are whole numbers


def test_a_lead_that_is_not_used_though_it_was_measured_is_named(encoder, recordings_mv):
    gaps = recordings_mv[0].copy()
    gaps[3, : gaps.shape[1] // 5] = np.nan
    gaps[4] = np.nan
    with pytest.warns(
        UserWarning, match=r"^aVR: not used, as if it were not given \(flat, clipped, or not measured"
    ) as told:
        made = encoder.embed(gaps, 500, LEADS, "mV")
    assert len(told) == 1
    gaps[3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(made, encoder.embed(gaps, 500, LEADS, "mV"))


def test_what_is_masked_was_not_measured_in_an_array_a_list_and_one_signal(encoder, recordings_mv):
    nan, masked = recordings_mv.copy(), np.ma.array(recordings_mv)
    nan[:, 1, 500:1500] = np.nan
    masked[:, 1, 500:1500] = np.ma.masked
    expected = encoder.embed(nan, 500, LEADS, "mV")
    for given in (masked, list(masked), (one for one in masked)):
        np.testing.assert_array_equal(encoder.embed(given, 500, LEADS, "mV"), expected)
    np.testing.assert_allclose(encoder.embed(masked[2], 500, LEADS, "mV"), expected[2], atol=1e-6)


def test_arrays_of_jax_and_names_read_once_serve_for_several_signals(encoder, embedded, recordings_mv):
    made = encoder.embed(jnp.asarray(recordings_mv), 500, iter(LEADS), "mV")  # float32
    np.testing.assert_allclose(made, embedded, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "leads", "words"),
    [
        (lambda x: {"a": x[0], "b": x[1]}, LEADS, "signals is a dict, expected several in order"),
        (lambda x: x[0, 0], LEADS, r"a signal has shape \[5000\], expected \[12 named leads, time\]"),
        (lambda x: x[:, 0], ("I",), r"shape \[5, 5000\], but leads names one lead .*an array \[record, 1, time\]"),
        (lambda x: x[None], LEADS, r"signals have shape \[1, 5, 12, 5000\]"),
        (lambda x: pd.DataFrame(x[0].T, columns=LEADS), LEADS, "DataFrame, whose columns would be lost"),
        (lambda x: [x[0], x[1] + 1j], LEADS, "signal 1: a signal holds complex128"),
        (lambda x: x, {*LEADS}, "leads is a set"),
        (lambda x: x, "I II", "leads is a str"),
        (lambda x: [None, x[1]], LEADS, "signal 0: a signal is a NoneType, which is no array"),
    ],
)
def test_containers_that_lose_an_order_or_labels_are_refused(encoder, recordings_mv, given, leads, words):
    with pytest.raises(CgdmerError, match=words):
        encoder.embed(given(recordings_mv), 500, leads, "mV")


def test_of_a_long_recording_the_chosen_windows_are_embedded_and_the_first_with_a_warning(
    encoder, embedded, recordings_mv
):
    long = np.concatenate([*recordings_mv[:3], recordings_mv[3][:, :600]], axis=1)  # 31.2 s
    with pytest.warns(UserWarning, match="its first 10 of 31.2 s are used; choose with windows="):
        first = encoder.embed(long, 500, LEADS, "mV")
    np.testing.assert_allclose(first, embedded[0], atol=1e-6)
    np.testing.assert_array_equal(encoder.embed(long, 500, LEADS, "mV", windows="first"), first)
    every = encoder.embed(long, 500, LEADS, "mV", windows="all")
    np.testing.assert_allclose(every[:3], embedded[:3], atol=1e-6)
    short = encoder.embed(recordings_mv[3][:, :600], 500, LEADS, "mV")
    assert every.shape == (4, embedded.shape[1])
    np.testing.assert_allclose(every[3], short, atol=1e-6)
    centre = encoder.embed(long[:, :15000], 500, LEADS, "mV", windows="centre")
    np.testing.assert_allclose(centre, embedded[1], atol=1e-6)
    prompts = {"SR": "sinus rhythm", "AFIB": "atrial fibrillation"}
    scores = encoder.zero_shot(long, prompts, 500, LEADS, "mV", windows="all")
    np.testing.assert_allclose(scores[:3], encoder.zero_shot(recordings_mv[:3], prompts, 500, LEADS, "mV"), atol=1e-6)


def test_a_recording_shorter_than_the_window_is_told_with_the_duration_that_the_rate_makes_of_it(
    encoder, recordings_mv
):
    """10 s at 100 Hz, called 500 Hz."""
    given = recordings_mv[:, :, ::5]
    with pytest.warns(UserWarning, match="^2 s at 500 Hz, shorter than the model's 10 s"):
        encoder.embed(given[0], 500, LEADS, "mV")
    with pytest.warns(UserWarning, match="in 5 of 5 signals: 2 s at 500 Hz, .*signals 0, 1, 2, 3, 4"):
        encoder.embed(given, 500, LEADS, "mV")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.embed(given, 100, LEADS, "mV")
        encoder.embed(np.concatenate([given[0], given[0, :, :200]], axis=1), 100, LEADS, "mV", windows="all")


def test_a_list_of_leads_and_the_samples_of_one_lead_are_one_recording(encoder, embedded, recordings_mv):
    for given in (list(recordings_mv[3]), recordings_mv[3].tolist(), tuple(jnp.asarray(recordings_mv[3]))):
        np.testing.assert_allclose(encoder.embed(given, 500, LEADS, "mV"), embedded[3], atol=1e-4)
    one = encoder.embed(recordings_mv[3, 1], 500, ["II"], "mV")
    np.testing.assert_array_equal(one, encoder.embed(recordings_mv[3, 1:2], 500, ["II"], "mV"))


def test_recordings_of_unequal_lengths_in_an_array_of_objects_are_embedded(encoder, embedded, recordings_mv):
    given = np.empty(2, object)
    given[:] = recordings_mv[0], recordings_mv[1, :, :3000]
    made = encoder.embed(given, 500, LEADS, "mV")
    np.testing.assert_allclose(made[0], embedded[0], atol=1e-6)


def test_what_looks_wrong_in_several_signals_is_told_in_one_warning_with_counts(encoder, recordings_mv):
    given = recordings_mv.copy()
    given[1:4, 3, :200] = np.nan
    given[2, 4] = 0
    with pytest.warns(UserWarning) as told:
        encoder.embed(given, 500, LEADS, "mV")
    words = [str(one.message) for one in told]
    assert len(words) == 1 and "something looks wrong in 3 of 5 signals: " in words[0]
    assert "gaps or clipped samples in aVR (signals 1, 2, 3)" in words[0]
    assert "aVL: not used, as if it were not given" in words[0] and "(signal 2)" in words[0]
    assert prepare(encoder.contract, given[1], 500, LEADS, "mV").remarks == ["gaps or clipped samples in aVR"]
    assert prepare(encoder.contract, given[0], 500, LEADS, "mV").remarks == []


def test_exchanged_arms_are_told_as_by_the_command(encoder):
    as_worn = clean(1, seconds=10).T
    with pytest.warns(UserWarning, match="^arm electrodes perhaps exchanged"):
        encoder.embed(swapped(as_worn.T).T, 100, LEADS, "uV")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.embed(as_worn, 100, LEADS, "uV")


def test_of_the_feature_and_the_windows_any_other_value_is_refused(encoder, recordings_mv):
    for feature in (None, 3, ["main"], "mane"):
        with pytest.raises(CgdmerError, match="the model has no feature"):
            encoder.check_feature(feature)
    with pytest.raises(CgdmerError, match='there are no windows ""'):
        encoder.embed(recordings_mv[0], 500, LEADS, "mV", windows="")


def test_what_was_not_prepared_for_this_model_is_refused(encoder, recordings_mv):
    short = prepare(dataclasses.replace(encoder.contract, seconds=5), recordings_mv[0], 500, LEADS, "mV")
    for given, words in (
        (recordings_mv[0], r"prepared 0 is a ndarray; give what cgdmer_jax\.contract\.prepare"),
        (short, r"prepared 0 has shape \[12, 500\], expected \[12, 1000\]"),
    ):
        with pytest.raises(CgdmerError, match=words):
            encoder.embed_prepared(iter([given]))


def test_a_pickled_encoder_gives_the_same(encoder, embedded, recordings_mv):
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(again.embed(recordings_mv, 500, LEADS, "mV"), embedded)
    np.testing.assert_array_equal(again.embed_text(["sinus rhythm"]), encoder.embed_text(["sinus rhythm"]))


def test_a_contract_in_print_counts_its_hashes(exported):
    part = dataclasses.replace(exported["contract"].trained_on[0], signal_sha256=("ab" * 8,) * 20_000)
    told = repr(dataclasses.replace(exported["contract"], trained_on=(part,)))
    assert "n_patients=2" in told and "signal_sha256=<20,000>" in told and len(told) < 700


def test_all_windows_of_several_signals_and_a_window_that_cannot_be_used_are_refused(encoder, recordings_mv):
    with pytest.raises(CgdmerError, match="would not say which is whose"):
        encoder.embed(recordings_mv, 500, LEADS, "mV", windows="all")
    long = np.concatenate([recordings_mv[0], recordings_mv[0] * 0], axis=1)
    with pytest.raises(CgdmerError, match="window from 10 s: every lead is without measurement"):
        encoder.embed(long, 500, LEADS, "mV", windows="all")


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
        (
            {"leads": [*LEADS[:3], "-aVR", *LEADS[4:]]},
            '"-aVR" is none of the twelve; it is aVR with its sign changed: give -1 times its values as aVR$',
        ),
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


def test_prompts_in_pieces_give_what_the_method_gives_at_once(exported, encoder, recordings_mv):
    """150 phrasings are three pieces of texts."""
    prompts = {
        f"class {n}": [f"sinus rhythm {'with' * (n % 7)} block {n}", f"normal ecg {'or rapid' * (n % 5)} {n}"]
        for n in range(75)
    }
    texts = [text for of in prompts.values() for text in of]
    tokens, mask, _ = encode(exported["tokenizer"], texts, exported["max_tokens"])
    batch = blank_batch(5, n_leads=12, n_samples=1000, n_tokens=exported["max_tokens"])._replace(
        signal=np.stack([prepare(exported["contract"], one, 500, LEADS, "mV").signal for one in recordings_mv]),
        lead_mask=np.ones((5, 12), bool),
        length=np.full(5, 1000, np.int32),
    )
    made = jax.jit(encoder._method.embed_text)(exported["variables"], tokens, mask)
    ecg = jax.jit(encoder._method.embed_ecg)(exported["variables"], batch)["aligned"]
    at_once = ecg @ class_vectors(made.reshape(75, 2, -1)).T
    found = encoder.zero_shot(recordings_mv, prompts, 500, LEADS, "mV")
    assert found.shape == (5, 75) and np.std(found) > 0.01
    np.testing.assert_allclose(found, at_once, atol=1e-5)


def test_the_tokenizer_never_gets_more_texts_than_one_piece(encoder, recordings_mv, monkeypatch):
    sizes = []

    def counting(tokenizer, texts, longest):
        sizes.append(len(texts))
        return encode(tokenizer, texts, longest)

    monkeypatch.setattr("cgdmer_jax.interop.encoder.encode", counting)
    prompts = {f"class {n}": f"block {n}" for n in range(130)}
    encoder.zero_shot(recordings_mv, prompts, 500, LEADS, "mV")
    assert sizes == [64, 64, 2]  # whatever the number of batches of recordings


def test_a_text_too_long_to_be_a_report_is_refused_before_it_is_tokenised(encoder):
    with pytest.raises(CgdmerError, match="text 1 has 700,000 characters, at most 100,000 are read"):
        encoder.embed_text(["sinus rhythm", "rhythm " * 100_000])


def test_a_text_of_which_no_word_is_known_is_refused_and_one_of_some_is_read(encoder):
    with pytest.raises(CgdmerError, match="text 1 has no word that the model's tokenizer knows; write it in the"):
        encoder.embed_text(["sinus rhythm", "心房颤动."])
    assert len(encoder.embed_text(["sinus rhythm 心房颤动"])) == 1


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ({"SR": {"sinus rhythm", "normal ecg"}}, 'prompts of class "SR" is a set, expected several in order'),
        ({"SR": "sinus rhythm", "AFIB": ["a", "b"]}, r"unequal numbers of phrasings \(SR 1, AFIB 2\)"),
        ({"SR": ["sinus rhythm"], "AFIB": []}, 'prompts of class "AFIB" are an empty list; give at least one phrasing'),
        ({}, "prompts is empty; give a dict from class to phrasing"),
        ({"SR": " .. "}, 'prompt of class "SR" holds no clinical text'),
        (
            {"SR": "sinus rhythm", "AFIB": "心房颤动"},
            'prompt of class "AFIB" has no word that the model.s tokenizer knows',
        ),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(encoder, recordings_mv, prompts, words):
    with pytest.raises(CgdmerError, match=words):
        encoder.zero_shot(recordings_mv, prompts, 500, LEADS, "mV")


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (["sinus rhythm"], 'prompts is a list; give a dict .* such as {"AFIB": "atrial fibrillation"}'),
        ("sinus rhythm", "prompts is a str; give a dict"),
        (None, "prompts is a NoneType; give a dict"),
        (pd.Series({"SR": "sinus rhythm"}), "prompts is a Series; give a dict"),
        ({"SR": None}, r'prompt of class "SR" is missing \(None\)'),
        ({"SR": float("nan")}, r'prompt of class "SR" is missing \(nan\)'),
        ({"SR": ["sinus rhythm", float("nan")]}, r'prompt of class "SR" is missing \(nan\)'),
        ({"SR": b"sinus"}, 'prompts of class "SR" is a bytes'),
        ({"SR": 3}, 'prompt of class "SR" is of type int'),
    ],
)
def test_prompts_of_another_kind_are_refused(prompts, words):
    with pytest.raises(CgdmerError, match=words):
        given_phrasings(prompts)


def test_a_missing_text_among_texts_is_named(encoder):
    for missing in (None, float("nan"), pd.NA):
        with pytest.raises(CgdmerError, match=r"text 1 is missing \(.*\), expected text; leave it out"):
            encoder.embed_text(iter(["sinus rhythm", missing]))
    with pytest.raises(CgdmerError, match="texts is a DataFrame of several columns"):
        encoder.embed_text(pd.DataFrame({"report": ["sinus rhythm"]}))


def test_one_string_as_texts_and_a_blank_text_are_refused(encoder):
    with pytest.raises(CgdmerError, match="texts is a str, expected several in order"):
        encoder.embed_text("sinus rhythm")
    with pytest.raises(CgdmerError, match="texts is a set"):
        encoder.embed_text({"sinus rhythm", "normal ecg"})
    with pytest.raises(CgdmerError, match="text 1 holds no clinical text"):
        encoder.embed_text(["sinus rhythm", ""])


def test_a_recording_that_was_trained_on_is_known_again_whatever_its_unit(exported, recordings_mv, tmp_path):
    seen = signal_sha256(prepare(exported["contract"], recordings_mv[1], 500, LEADS, "mV").signal)
    part = dataclasses.replace(exported["contract"].trained_on[0], signal_sha256=(seen,))
    contract = dataclasses.replace(exported["contract"], trained_on=(part,))
    save_model(tmp_path / "model", **exported | {"contract": contract})
    found = load(tmp_path / "model").was_trained_on(recordings_mv[:3] * 1000, 500, LEADS, "uV")
    assert found.tolist() == [False, True, False]


def test_a_notebook_shows_what_the_encoder_reads_and_gives(encoder):
    shown = repr(encoder)
    assert f"{encoder.contract.rate:g} Hz, leads I, II, III" in shown and shown.count("\n") == 0
    assert all(f"{name} {width}" in shown for name, width in encoder.features.items())
