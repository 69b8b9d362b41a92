"""A fine-tuned MERL as a user makes it: its running statistics in checkpoints, after a kill, in results and export."""

import signal

import jax
import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.commands import export_model, finetune
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.interop.pretrained import read_model
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.recipes.finetuned_head import read_head
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.waveform.conditioning import LEADS
from configs import merl
from tests.finetune_runs import finetune_words, run_finetune, run_killed
from tests.small_runs import ROOT, curve, hashes, make_store

STEPS = 6


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("finetune")


@pytest.fixture(scope="module")
def store(folder):
    return make_store(folder / "store", 120)


@pytest.fixture(scope="module")
def pretrained(folder, store):
    """A ResNet of two stages."""
    config = merl.get_config("nano")
    config.method.update(ecg={"width": 4, "blocks": (1, 1), "bottleneck": False}, embed_dim=16)
    config.method.text.update(width=16, depth=1, heads=2)
    config.data.update(stores=(str(store),), batch_size=8)
    config.optimizer.update(steps=2)
    config.run.validation_records = 8
    assert pretrain(config, folder / "pretrained") == 0
    return folder / "pretrained"


def words(pretrained, store, workdir, *more):
    every = "--config.run.validate_every=3"
    return finetune_words(pretrained, store, workdir, every, *more, steps=STEPS, learning_rate=0.01)


@pytest.fixture(scope="module")
def finetuned(folder, store, pretrained):
    run_finetune(words(pretrained, store, folder / "run"))
    return folder / "run"


def statistics_of(variables):
    """{norm: bytes of its running mean and variance}, of the encoder alone."""
    state = variables.state["encoder"]
    state = state.get("encoder", state)  # of a fine-tuned run the whole method's, in which the encoder has this name
    return {path[0].key + path[1].key: np.asarray(leaf).tobytes() for path, leaf in jax.tree.leaves_with_path(state)}


def rows_of(run):
    (found,) = run.glob("evaluation/*/*/finetune/results.json")
    return read_results(found)["rows"], found.parent


def test_they_start_as_pretraining_left_them_and_move_with_the_encoder(finetuned, pretrained):
    first, last = (statistics_of(load_run(finetuned, step).variables) for step in (0, STEPS))
    assert first == statistics_of(load_run(pretrained, None).variables)
    assert first.keys() == last.keys() and not [name for name in first if first[name] == last[name]]


def test_killed_the_same_command_ends_with_the_same_bits_of_them_too(finetuned, folder, store, pretrained):
    workdir = folder / "killed"
    run_killed(words(pretrained, store, workdir), (f"manifest:2:{signal.SIGKILL:d}",))
    assert curve(workdir) == curve(finetuned)
    assert hashes(workdir, STEPS) == hashes(finetuned, STEPS)
    ours, theirs = (statistics_of(load_run(one, STEPS).variables) for one in (workdir, finetuned))
    assert ours == theirs


def test_the_exported_model_has_them_and_predicts_what_was_scored(finetuned, store, folder):
    assert export_model.main([f"--run={finetuned}", f"--out={folder / 'model'}"]) == 0
    scored = load_run(finetuned, read_head(finetuned).step)
    assert statistics_of(read_model(str(folder / "model")).variables) == statistics_of(scored.variables)
    encoder, corpus = cgdmer_jax.load(folder / "model"), open_corpus((str(store),))
    saved = np.load(rows_of(finetuned)[1] / "predictions.npz")
    line_of = {str(name): line for line, name in enumerate(corpus.column("record_id"))}
    lines = np.array([line_of[name] for name in saved["findings/record_id"][:3]])
    signals = [
        one[:, :length].astype(np.float32) for one, length in zip(corpus.read(lines), corpus.length[lines], strict=True)
    ]
    found = encoder.predict(signals, corpus.rate, LEADS, "uV")
    expected = saved["findings/finetune/merl/main/pretrained"][:3]
    np.testing.assert_allclose(np.stack([*found.values()], axis=1), expected, atol=1e-5)


def test_of_the_last_stage_alone_they_move_and_the_rows_say_what_was_trained_and_read(pretrained, store, tmp_path):
    fields = ("encoder_trained=1", "layer_decay=0.5", "head_pooling=attention", "head_dropout=0.2")
    more = [f"--config.method.{field}" for field in fields]
    assert finetune.main(words(pretrained, store, tmp_path, *more)) == 0
    before, after = (statistics_of(load_run(*one).variables) for one in ((pretrained, None), (tmp_path, STEPS)))
    still = {name.partition("_")[0] for name in before if before[name] == after[name]}
    moved = {name.partition("_")[0] for name in before if before[name] != after[name]}
    assert (still, moved) == ({"stem", "stage1"}, {"stage2"})
    assert {(row["variant"], row["feature"]) for row in rows_of(tmp_path)[0]} == {("pretrained_last1", "attention")}
