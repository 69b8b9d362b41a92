"""A delineation as a model folder: it finds the waves that scoring counts, is loaded strictly, and does that alone."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import cgdmer_jax
from cgdmer_jax.batch import blank_batch
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.case_waves import open_wave_model, waves_of
from cgdmer_jax.evaluation.delineation import marked_lines, open_marked
from cgdmer_jax.interop.encoder import Encoder
from cgdmer_jax.methods.delineate.method import HEAD
from cgdmer_jax.recipes.delineate import on_encoder
from cgdmer_jax.recipes.delineation_model import save_delineation
from cgdmer_jax.recipes.starting_encoder import encoder_of_model
from cgdmer_jax.waveform.conditioning import LEADS
from cgdmer_jax.waveform.waves import cleaned
from tests.data.marked_store import RATE, marked_store
from tests.interop.small_model import reseal, write_small_model

pytestmark = pytest.mark.filterwarnings("ignore:.*limb leads contradict:UserWarning")  # its limb leads are made alike
NUMBERS = {"P": 1, "QRS": 2, "T": 3}
ROWS = [
    {"leads": "all", "wave": wave, "metric": "boundary_f1", "value": value, "sd": sd, "n": 1234}
    for wave, value, sd in (("P", 0.75, 0.125), ("QRS", 0.9, 0.01), ("T", None, None), ("macro", None, None))
]
SETTINGS = {"encoder_sha256": "ab" * 32, "init": "pretrained", "trained": "all", "steps": 7, "seed": 0}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return str(write_small_model(tmp_path_factory.mktemp("models") / "small"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """As long as that model reads."""
    return open_marked(marked_store(tmp_path_factory.mktemp("stores") / "marked", 10, seconds=10.0))


@pytest.fixture(scope="module")
def saved(pretrained, corpus, tmp_path_factory):
    """(folder, method, variables) of a head with drawn weights, which draws the samples of a patch much alike."""
    encoder, lines = encoder_of_model(pretrained), marked_lines(corpus)
    method, weights = on_encoder(encoder, init="pretrained", trained="all")
    blank = blank_batch(2, n_leads=12, n_samples=1000, n_tokens=encoder.max_tokens)
    variables = jax.device_get(jax.jit(method.init)(jax.random.key(0), blank))
    variables = variables._replace(params=variables.params | {"encoder": weights.params})
    samples = variables.params[HEAD]["samples"]
    channels = np.random.default_rng(0).normal(size=(samples["kernel"].shape[0], 16))
    samples["kernel"] = np.tile(channels, samples["kernel"].shape[1] // 16).astype(np.float32)
    folder = tmp_path_factory.mktemp("made") / "waves"
    save_delineation(folder, encoder, method, variables, corpus, lines, ROWS, SETTINGS)
    return folder, method, variables


@pytest.fixture(scope="module")
def encoder(saved):
    return cgdmer_jax.load(saved[0])


def as_classes(waves, n_samples=1000):
    """Class of each sample, from waves by lead."""
    classes = np.zeros((12, n_samples), np.int8)
    for lead, found in waves.items():
        for wave in found:
            onset, offset = round(wave.onset_s * RATE), round(wave.offset_s * RATE)
            classes[LEADS.index(lead), onset : offset + 1] = NUMBERS[wave.kind]
    return classes


def test_it_finds_the_waves_that_scoring_counts(saved, encoder, corpus):
    _, method, variables = saved
    signals = corpus.read(np.arange(2))
    batch = blank_batch(2, n_leads=12, n_samples=1000, n_tokens=16)._replace(
        signal=signals, lead_mask=np.ones((2, 12), bool), length=np.full(2, 1000, np.int32)
    )
    likeliest = np.asarray(jax.jit(method.wave_logits)(variables, batch)).argmax(-1)
    found = encoder.delineate(signals, rate=RATE, leads=LEADS, unit="uV")
    for ours, expected in zip(found, likeliest, strict=True):
        assert list(ours) == list(LEADS) and any(ours.values())
        np.testing.assert_array_equal(as_classes(ours), [cleaned(lead, RATE) for lead in expected])
    one = encoder.delineate(signals[1, ::-1] / 1000.0, rate=RATE, leads=LEADS[::-1], unit="mV")
    assert one == found[1]  # by name, in any order and unit


def test_times_are_those_of_the_recording_and_leads_that_are_not_given_are_not_told(encoder, corpus):
    signal = np.concatenate(corpus.read(np.arange(2)), axis=1)[[1, 6]]  # II and V1 of 20 s
    given = {"rate": RATE, "leads": ("II", "V1"), "unit": "uV"}
    first, second = encoder.delineate(signal, **given, windows="all")
    alone = encoder.delineate(signal[:, 1000:], **given)
    assert list(first) == ["II", "V1"] and any(second.values())
    for lead, waves in alone.items():
        assert [(one.kind, one.onset_s - 10, one.offset_s - 10) for one in second[lead]] == [
            (one.kind, pytest.approx(one.onset_s), pytest.approx(one.offset_s)) for one in waves
        ]
    short = encoder.delineate(signal[:, :700], **given)
    assert max(wave.offset_s for waves in short.values() for wave in waves) <= 6.99


def test_the_folder_says_what_it_was_trained_on_and_is_refused_where_anything_differs(saved, corpus, tmp_path):
    folder = saved[0]
    card, config = (folder / "README.md").read_text(), json.loads((folder / "config.json").read_text())
    assert "| P | 0.750 ± 0.125 | 1,234 |" in card and "| T | not known |" in card and ".delineate(signal" in card
    assert config["method_name"] == "delineate" and config["origin"]["steps"] == 7
    known = cgdmer_jax.load(folder)
    assert [part.name for part in known.contract.trained_on] == ["ludb", "synthetic"]
    assert known.was_trained_on(corpus.read(np.arange(1)), rate=RATE, leads=LEADS, unit="uV").all()
    other = tmp_path / "other"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    tensors = load_file(other / "model.safetensors")
    save_file({name: one for name, one in tensors.items() if "join/bias" not in name}, other / "model.safetensors")
    with pytest.raises(CgdmerError, match=r"model\.safetensors differs from what was exported"):
        cgdmer_jax.load(other)
    reseal(other)
    with pytest.raises(CgdmerError, match="params/head/join/bias is missing"):
        cgdmer_jax.load(other)


def test_a_model_does_what_it_was_trained_for_alone(encoder: Encoder, pretrained, saved, corpus):
    given = {"signal": corpus.read(np.arange(1)), "rate": RATE, "leads": LEADS, "unit": "uV"}
    with pytest.raises(CgdmerError, match="the model has no head that delineates; train one"):
        cgdmer_jax.load(pretrained).delineate(**given)
    with pytest.raises(CgdmerError, match="the model delineates and gives no features"):
        encoder.embed(**given)
    with pytest.raises(CgdmerError, match="the model predicts no classes"):
        encoder.predict(**given)
    assert encoder.features == {} and "delineates P, QRS and T" in repr(encoder)
    with pytest.raises(CgdmerError, match="delineates and gives no features; give the pretrained run or model"):
        encoder_of_model(str(saved[0]))


def test_it_marks_a_stored_record_and_refuses_a_store_of_another_length(saved, encoder, pretrained, corpus, tmp_path):
    folder, line = str(saved[0]), 3
    blank = token_table(corpus, encoder_of_model(pretrained).tokenizer, 16)
    marked = waves_of(open_wave_model(folder, corpus), corpus, line, blank)
    (found,) = encoder.delineate(corpus.read(np.array([line])), rate=RATE, leads=LEADS, unit="uV")
    assert marked == {lead: tuple(waves) for lead, waves in found.items()}
    with pytest.raises(CgdmerError, match=r"--waves=.*small has no head that delineates; give a folder that"):
        open_wave_model(pretrained, corpus)
    other = open_marked(marked_store(tmp_path / "other", 1, seconds=2.0))
    with pytest.raises(CgdmerError, match=r"was trained with seconds 10\.0, and store .*other has 2\.0; give a model"):
        open_wave_model(folder, other)
