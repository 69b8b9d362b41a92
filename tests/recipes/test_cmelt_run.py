"""C-MELT through the commands that know it only by its contract: training, restart, evaluation, a model folder."""

import json

import jax
import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.commands import evaluate, export_model
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.text_vectors import encode_texts
from cgdmer_jax.recipes.trained_run import load_run
from configs import cmelt
from tests.interop.tower_folder import write_t5
from tests.small_runs import ROOT, make_store

STEPS = 60


def config_of(store, preset="right"):
    """nano, made narrow and short."""
    config = cmelt.get_config(f"nano,{preset}")
    for part in ("ecg", "text", "decoder"):
        config.method[part].update(width=16, depth=1, heads=2)
    config.method.fusion.update(width=16, depth=2, heads=2)
    config.method.update(front_channels=16, unroll=1)
    config.data.update(stores=(str(store),), batch_size=16)
    config.optimizer.update(steps=STEPS, learning_rate=1e-2)
    config.run.update(log_every=1, validate_every=STEPS, checkpoint_every=20, validation_records=16, keep_last=9)
    return config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("cmelt") / "store", 300)


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "cmelt"
    assert pretrain(config_of(store), folder) == 0
    return folder


def test_the_terms_of_the_reports_fall(run):
    """The ECG's does not within so few steps of so narrow a model: it stays at the variance of what is predicted."""
    records = [record for record in read_metrics(run / "metrics.jsonl") if "loss" in record]
    assert len(records) == STEPS
    for term in ("text", "match", "align"):
        values = [record[term] for record in records]
        assert np.mean(values[-10:]) < np.mean(values[:5]), term
    assert any("validation_match" in record for record in read_metrics(run / "metrics.jsonl"))


def test_every_module_has_learnt(run):
    before, after = (load_run(run, step).variables.params for step in (20, STEPS))
    for (path, one), other in zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        assert not np.array_equal(one, other), path


def test_stopped_midway_it_ends_with_the_bits_of_the_whole_run(run, store, tmp_path, monkeypatch):
    from cgdmer_jax.recipes import training_run

    whole, part = training_run.loop.train, tmp_path / "part"

    def stopped_at_20(state, step, batches, *more, stop, **others):
        def until(first, last):
            for number, batch in enumerate(batches(first, last), start=first + 1):
                stop.is_set = stop.is_set or number == 20
                yield batch

        return whole(state, step, until, *more, stop=stop, **others)

    monkeypatch.setattr(training_run.loop, "train", stopped_at_20)
    assert pretrain(config_of(store), part) == 75
    monkeypatch.undo()
    for table in (store / "cache").glob("negatives-*"):
        table.unlink()  # it is made again, alike
    assert pretrain(config_of(store), part) == 0
    ends = [jax.tree.leaves(load_run(folder, STEPS).variables) for folder in (part, run)]
    assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(*ends, strict=True))


def test_it_is_evaluated_as_any_method(run, store, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = [f"--run={run}", f"--store={store}", "--split=validation", "--random_seeds=1", "--kernels=84"]
    assert evaluate.main([*words, "--parts=probe,zero_shot,retrieval"]) == 0
    found = next((run / "evaluation").glob("*/validation/results.json"))
    rows = json.loads(found.read_text())["rows"]
    kinds = {(row["method"], row["evaluation"], row["feature"]) for row in rows}
    assert {
        ("cmelt", "probe", "main"),
        ("cmelt", "probe", "encoder"),
        ("cmelt", "zero_shot", "aligned"),
        ("random_weights", "zero_shot", "aligned"),
    } <= kinds


def test_a_model_folder_embeds_as_the_run_does(run, store, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert export_model.main([f"--run={run}", f"--out={tmp_path / 'model'}"]) == 0
    encoder, trained = cgdmer_jax.load(tmp_path / "model"), load_run(run, None)
    corpus, lines = open_corpus((str(store),)), np.arange(3)
    batch = build.blank_batch_of(3, trained.contract, 36)._replace(
        signal=corpus.read(lines), lead_mask=corpus.lead_mask[lines], length=corpus.length[lines]
    )
    expected = jax.jit(trained.method.embed_ecg)(trained.variables, batch)["main"]
    signal = corpus.read(lines).astype(np.float32)
    found = encoder.embed(signal, encoder.contract.rate, list(encoder.contract.leads), "uV")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_released_switches_and_a_t5_train_with_negatives_by_an_encoders_vectors(store, tmp_path):
    """The vectors are named by the command that makes them; masked words are sentinels, which T5 has."""
    tower = write_t5(tmp_path / "t5", "sinus rhythm normal ecg atrial fibrillation left bundle branch block".split())
    config = config_of(store, "literal")
    config.method.update(text_tower=str(tower))
    config.method.negatives.encoder = str(tower)
    config.optimizer.steps = 2
    with pytest.raises(CgdmerError, match=r"make it with python -m experiments\.encode_texts .*--pooling=mean"):
        pretrain(config, tmp_path / "run")
    encode_texts((str(store),), str(tower), "mean", config.data.max_tokens)
    assert pretrain(config, tmp_path / "run") == 0
    assert list((store / "cache").glob("negatives-farthest-*.npz"))
    losses = [record["loss"] for record in read_metrics(tmp_path / "run/metrics.jsonl") if "loss" in record]
    assert len(losses) == 2 and np.isfinite(losses).all()
