"""MERL through the commands that know it only by its contract: vectors, training, restart, evaluation."""

import json
import shutil

import jax
import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.commands import evaluate, export_model
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.text_vectors import encode_texts
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.training.run_folder import RunFolder
from configs import merl
from tests.interop.tower_folder import write_tower
from tests.sealed_files import rewrite
from tests.small_runs import ROOT, make_store

MAX_TOKENS = 10  # of the small tower


def config_of(store, tower):
    """The release's preset, made narrow; two epochs' worth of nothing."""
    config = merl.get_config("resnet18")
    config.method.ecg.update(width=4, blocks=(1, 1, 1, 1))
    config.method.update(text_tower=str(tower), embed_dim=8)
    config.data.update(stores=(str(store),), batch_size=4, max_tokens=MAX_TOKENS)
    config.data.text_columns.text_vectors = str(tower)
    config.optimizer.update(steps=4, learning_rate=1e-2)
    config.run.update(log_every=1, validate_every=4, checkpoint_every=2, validation_records=4, keep_last=9)
    return config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("merl") / "store", 300)


@pytest.fixture(scope="module")
def tower(tmp_path_factory, store):
    words = "sinus rhythm left axis normal ecg atrial fibrillation bundle branch block no".split()
    return write_tower(tmp_path_factory.mktemp("tower") / "bert", [" ".join(words)] * 3)


@pytest.fixture(scope="module")
def run(store, tower, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "merl"
    with pytest.raises(CgdmerError, match=r"make it with python -m experiments\.encode_texts .*--pooling=pooler"):
        pretrain(config_of(store, tower), folder)
    encode_texts((str(store),), str(tower), "pooler", MAX_TOKENS)
    assert pretrain(config_of(store, tower), folder) == 0
    return folder


def bits(run, step):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(load_run(run, step).variables)]


def test_the_frozen_tower_keeps_its_bits_and_norms_gather_statistics(run):
    first, last = (load_run(run, step).variables for step in (0, 4))
    towers = (jax.tree.leaves(v.params["text_tower"]) for v in (first, last))
    assert all(np.array_equal(one, other) for one, other in zip(*towers, strict=True))
    assert not np.array_equal(first.params["view1"]["kernel"], last.params["view1"]["kernel"])
    statistics = zip(jax.tree.leaves(first.state), jax.tree.leaves(last.state), strict=True)
    assert all(not np.array_equal(one, other) for one, other in statistics)


def test_stopped_at_step_2_it_ends_with_the_bits_of_the_whole_run(run, store, tower, tmp_path, monkeypatch):
    from cgdmer_jax.recipes import training_run

    whole, part = training_run.loop.train, tmp_path / "part"

    def stopped_at_2(*args, batches=None, stop, **more):
        """A signal that comes while step 2 is under way."""
        args = list(args)
        original = args[2]

        def until(first, last):
            for number, batch in enumerate(original(first, last), start=first + 1):
                stop.is_set = stop.is_set or number == 2
                yield batch

        args[2] = until
        return whole(*args, stop=stop, **more)

    monkeypatch.setattr(training_run.loop, "train", stopped_at_2)
    assert pretrain(config_of(store, tower), part) == 75
    monkeypatch.undo()
    assert pretrain(config_of(store, tower), part) == 0
    assert bits(part, 4) == bits(run, 4)
    losses = [[r["loss"] for r in read_metrics(folder / "metrics.jsonl") if "loss" in r] for folder in (part, run)]
    assert losses[0] == losses[1] and len(losses[0]) == 4


def test_it_is_evaluated_as_any_method(run, store, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = [f"--run={run}", f"--store={store}", "--split=validation", "--random_seeds=1", "--kernels=84"]
    assert evaluate.main([*words, "--parts=probe,zero_shot,retrieval"]) == 0
    found = next((run / "evaluation").glob("*/validation/results.json"))
    rows = json.loads(found.read_text())["rows"]
    kinds = {(row["method"], row["evaluation"], row["feature"]) for row in rows}
    assert {("merl", "probe", "main"), ("merl", "zero_shot", "aligned"), ("random_weights", "probe", "main")} <= kinds


def test_nano_learns_to_read_reports_with_word_pieces_of_the_training_reports(store, tmp_path):
    config = merl.get_config("nano,lead_dropout")
    assert config.method.lead_dropout == 0.3 and not config.method.text_tower
    config.method.ecg.update(width=4, blocks=(1, 1, 1, 1))
    config.method.text.update(width=8, depth=1, heads=2)
    config.method.update(embed_dim=8, unroll=1)
    config.data.update(stores=(str(store),), batch_size=16)
    config.optimizer.update(steps=30, learning_rate=1e-2)
    config.run.update(log_every=1, validate_every=30, checkpoint_every=30, validation_records=16)
    assert pretrain(config, tmp_path / "run") == 0
    records = [record for record in read_metrics(tmp_path / "run/metrics.jsonl") if "align" in record]
    values = [record["align"] for record in records]
    assert len(values) == 30 and np.mean(values[-5:]) < 0.95 * np.mean(values[:5])
    words = load_run(tmp_path / "run", None).tokenizer.get_vocab()
    assert "sinus" in words and "atrium" not in words
    assert export_model.main([f"--run={tmp_path / 'run'}", f"--out={tmp_path / 'model'}"]) == 0
    encoder = cgdmer_jax.load(tmp_path / "model")
    assert encoder.embed_text(["sinus rhythm", "atrial fibrillation"]).shape == (2, 8)


def test_without_a_tower_a_published_size_has_no_word_pieces(store, tower, tmp_path):
    config = config_of(store, "")
    config.data.text_columns.text_vectors = ""
    with pytest.raises(CgdmerError, match=r"config\.data\.vocabulary is 0, .*; name one in config\.method\.text_tower"):
        pretrain(config, tmp_path / "run")


def test_a_run_from_before_the_encoder_of_its_own_goes_on_and_is_evaluated(run, store, tower, tmp_path):
    older = shutil.copytree(run, tmp_path / "older")
    method = {name: value for name, value in RunFolder(older).config()["method"].items() if name != "text"}
    rewrite(older / "config.json", method=method)
    assert load_run(older, None).step == 4
    config = config_of(store, tower)
    config.optimizer.steps = 6
    assert pretrain(config, older, allowed=("optimizer.steps",)) == 0
    assert "text" not in RunFolder(older).config()["method"] and load_run(older, None).step == 6


def test_a_released_file_becomes_a_run_that_gives_the_restatements_features(store, tower, tmp_path, capsys):
    torch = pytest.importorskip("torch", reason="MERL's files are torch's: the extra `torch`")
    from cgdmer_jax.data.corpus import open_corpus
    from cgdmer_jax.methods.merl.network import ResNetSize
    from cgdmer_jax.recipes import build
    from cgdmer_jax.recipes.import_merl import import_merl
    from cgdmer_jax.training.run_folder import RunFolder
    from tests.methods.merl_twins import ORDER, assert_close, make_twins

    corpus = open_corpus((str(store),))
    config = config_of(store, tower)
    config.method.update(embed_dim=32)
    config.method.ecg.update(width=8)
    file = tmp_path / "w.pth"
    twins = make_twins(ResNetSize(8, (1, 1, 1, 1), False), file, samples=corpus.n_samples, tower_width=8)
    held = torch.load(file, weights_only=True)
    torch.save(held | {"lm_model.pooler.dense.bias": torch.zeros(8)}, file)
    import_merl(file, config, str(store), RunFolder(tmp_path / "run"))
    assert "1 lm_model.*\nlm_model.* is its text tower" in capsys.readouterr().out
    run = load_run(tmp_path / "run", None)
    assert run.contract.trained_on[0].name == "mimic-iv-ecg"

    lines = np.arange(3)
    shapes = build.blank_batch_of(3, run.contract, MAX_TOKENS)
    batch = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)._replace(
        signal=corpus.read(lines), lead_mask=corpus.lead_mask[lines], length=corpus.length[lines]
    )
    found = jax.jit(run.method.embed_ecg)(run.variables, batch)
    live = np.asarray(jax.jit(run.method._signal)(batch, batch.lead_mask))
    with torch.no_grad():
        main, narrow, aligned = twins.torch.eval().features(torch.tensor(live[:, ORDER]))
    for name, expected in (("main", main), ("narrow", narrow), ("aligned", aligned)):
        assert_close(found[name], expected)
    with pytest.raises(CgdmerError, match="is a run already"):
        import_merl(file, config, str(store), RunFolder(tmp_path / "run"))
    (tmp_path / "run/metrics.jsonl").unlink(missing_ok=True)  # nothing was trained here
    words = [f"--run={tmp_path / 'run'}", f"--store={store}", "--split=validation", "--random_seeds=0", "--kernels=84"]
    assert evaluate.main([*words, "--parts=probe"]) == 0
    (found,) = (tmp_path / "run/evaluation").glob("*/validation/results.json")
    assert read_results(found)["origin"]["left_out"] == ["training curves: the run has no metrics.jsonl"]
