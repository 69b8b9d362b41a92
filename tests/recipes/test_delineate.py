"""Delineation from recordings to scores: a U-Net learns it, an encoder's tokens carry it, the command tells it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from baselines.delineation.unet import UNetDelineator
from cgdmer_jax.commands import delineate
from cgdmer_jax.data.loader import sequential_batches
from cgdmer_jax.data.record_columns import WAVES
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.delineation import open_marked
from cgdmer_jax.interop.pretrained import content_sha256, read_model, save_model
from cgdmer_jax.methods.delineate.method import ENCODER, HEAD
from cgdmer_jax.metrics.delineation import score_waves
from cgdmer_jax.recipes.delineate import WaveTrainer, on_encoder
from cgdmer_jax.recipes.starting_encoder import encoder_of_model
from tests.data.marked_store import RATE, marked_store
from tests.interop.small_model import small_model

STEPS = 60


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(folder, **small_model())
    return str(folder)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """As long as that model reads."""
    return marked_store(tmp_path_factory.mktemp("stores") / "marked", 20, seconds=10.0)


def test_a_u_net_finds_the_waves_of_other_patients(tmp_path):
    corpus = open_marked(marked_store(tmp_path / "store"))
    fit, score = np.arange(32), np.arange(32, 40)
    trained_fold = WaveTrainer(UNetDelineator(corpus.rate), None, corpus, max_tokens=1, steps=STEPS, seed=0).fold
    found, marked = trained_fold(fit, score), corpus.record_columns[WAVES][score]
    scores = score_waves([*found.reshape(-1, 200)], [*marked.reshape(-1, 200)], float(RATE))
    assert scores["macro"].figures["boundary_f1"] > 0.9 and scores["macro"].figures["dice"] > 0.8


def test_each_fold_starts_anew(tmp_path):
    corpus = open_marked(marked_store(tmp_path / "store", 20))
    trained_fold = WaveTrainer(UNetDelineator(corpus.rate), None, corpus, max_tokens=1, steps=2, seed=0).fold
    first, second = (trained_fold(np.arange(16), np.arange(16, 20)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_pretrained_encoder_starts_with_the_weights_of_its_model(model, store):
    corpus, encoder = open_marked(store), encoder_of_model(model)
    lines = np.arange(corpus.n_records)
    method, weights = on_encoder(encoder, init="pretrained", trained="head")
    states = jax.jit(method.encoder.ecg_token_states)(encoder.variables, _batch(corpus)).states
    blank = jax.jit(method.init)(jax.random.key(0), _batch(corpus))
    given = blank.params | {ENCODER: weights.params}
    expected = method.head.apply({"params": blank.params[HEAD]}, states)
    found = jax.jit(method.wave_logits)(blank._replace(params=given), _batch(corpus))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    made = {}
    for init in ("pretrained", "scratch"):
        method, weights = on_encoder(encoder, init=init, trained="head")
        assert (weights is None) == (init == "scratch")
        trained_fold = WaveTrainer(method, weights, corpus, max_tokens=encoder.max_tokens, steps=2, seed=0).fold
        made[init] = trained_fold(lines[:16], lines[16:])
    assert made["pretrained"].shape == (4, 12, 1000) and np.any(made["pretrained"] != made["scratch"])


def _batch(corpus):
    tokens = np.zeros((len(corpus.texts), 16), np.int32)
    batch, _ = next(sequential_batches(corpus, np.arange(2), tokens, tokens > 0, 2))
    return jax.tree.map(jnp.asarray, batch)


def test_the_command_scores_five_folds_and_says_what_it_was_given(model, store, tmp_path, capsys):
    out = tmp_path / "out.json"
    words = [f"--model={model}", f"--store={store}", f"--out={out}", "--steps=1", "--trained=head"]
    assert delineate.main([*words, f"--model_out={tmp_path / 'waves'}"]) == 0
    told, document = capsys.readouterr().out, json.loads(out.read_text())
    assert f"model of 20 records: {tmp_path / 'waves'}" in told
    made = read_model(tmp_path / "waves")
    assert made.method_name == "delineate" and made.method.config.trained == "head"
    kept = flatten_dict(made.variables.params[ENCODER])  # the encoder stayed as it was
    given = flatten_dict(encoder_of_model(model).variables.params)
    assert kept and all(np.array_equal(leaf, given[path]) for path, leaf in kept.items())
    assert told.count("boundary F1 P") == 6 and f"; {out}" in told
    assert document["settings"] | {"store": ""} == {
        **{"method": "cgdmer", "encoder_from": ".../small", "seen_in_training": False, "store": ""},
        "encoder_sha256": content_sha256(model),
        **{"init": "pretrained", "trained": "head", "steps": 1, "seed": 0},
    }
    assert len(document["folds"]) == 5 and {row["wave"] for row in document["rows"]} == {"P", "QRS", "T", "macro"}
    with pytest.raises(CgdmerError, match="was made with steps 1, not 2; name another --out"):
        delineate.main([*words[:3], "--steps=2", "--trained=head"])
    other = tmp_path / "small"  # of the same name, with other weights
    parts = small_model()
    save_model(other, **parts | {"variables": jax.tree.map(lambda x: 2 * x, parts["variables"])})
    with pytest.raises(CgdmerError, match=r"was made with encoder_sha256 .*; name another --out"):
        delineate.main([f"--model={other}", *words[1:]])


def test_a_store_of_fewer_records_than_a_step_reads_is_refused(tmp_path):
    corpus = open_marked(marked_store(tmp_path / "store", 10))
    trained_fold = WaveTrainer(UNetDelineator(corpus.rate), None, corpus, max_tokens=1, steps=1, seed=0).fold
    with pytest.raises(CgdmerError, match="has 8 records with marked waves to learn from, and a step reads 16"):
        trained_fold(np.arange(8), np.arange(8, 10))


@pytest.mark.parametrize(("steps", "seed", "named"), [(0, 0, "--steps is 0"), (1, 1 << 40, "--seed is 1099511627776")])
def test_numbers_that_no_training_has_are_refused(steps, seed, named, store):
    corpus = open_marked(store)
    with pytest.raises(CgdmerError, match=named):
        WaveTrainer(UNetDelineator(corpus.rate), None, corpus, max_tokens=1, steps=steps, seed=seed)
