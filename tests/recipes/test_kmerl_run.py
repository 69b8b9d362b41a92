"""K-MERL through the commands that know it only by its contract: training, restart, evaluation, a model folder."""

import json

import jax
import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.commands import evaluate, export_model
from cgdmer_jax.contract import prepare
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.text.entities import PRESENT, shipped_table
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.extract_entities import extract_entities
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.waveform.conditioning import LEADS
from configs import kmerl
from tests.data.small_stores import write_store
from tests.small_runs import ROOT, make_store

STEPS = 30


def config_of(store):
    """nano, made narrow and short."""
    config = kmerl.get_config("nano")
    for part in ("ecg", "text", "query"):
        config.method[part].update(width=16, depth=1, heads=2)
    config.method.update(embed_dim=16, unroll=1)
    config.data.update(stores=(str(store),), batch_size=16)
    config.optimizer.update(steps=STEPS, learning_rate=1e-2)
    config.run.update(log_every=1, validate_every=STEPS, checkpoint_every=10, validation_records=16, keep_last=9)
    return config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("kmerl") / "store", 300)


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "kmerl"
    assert pretrain(config_of(store), folder) == 0
    return folder


def test_the_run_asks_for_what_its_training_reports_state_and_the_losses_fall(run, store):
    corpus, asked = open_corpus((str(store),)), load_run(run, None).config.method.entities
    lines = corpus.lines("train")
    states = shipped_table().table(corpus.reports(lines))
    shares = (states[states.any(1)] == PRESENT).mean(0)
    expected = [(one.name, share) for one, share in zip(shipped_table().entities, shares, strict=True) if share > 0]
    assert asked["names"] == [name for name, _ in expected]
    np.testing.assert_allclose(asked["shares"], [share for _, share in expected])
    assert len(asked["names"]) > 5 and len(asked["tokens"]) == len(asked["names"])

    records = [record for record in read_metrics(run / "metrics.jsonl") if "loss" in record]
    assert len(records) == STEPS
    for term in ("align", "entities"):
        values = [record[term] for record in records]
        assert np.mean(values[-5:]) < 0.95 * np.mean(values[:5]), term


def test_stopped_midway_it_ends_with_the_bits_of_the_whole_run_with_a_table_beside_the_store(
    run, store, tmp_path, monkeypatch
):
    from cgdmer_jax.recipes import training_run

    whole, part = training_run.loop.train, tmp_path / "part"

    def stopped_at_10(state, step, batches, *more, stop, **others):
        def until(first, last):
            for number, batch in enumerate(batches(first, last), start=first + 1):
                stop.is_set = stop.is_set or number == 10
                yield batch

        return whole(state, step, until, *more, stop=stop, **others)

    monkeypatch.setattr(training_run.loop, "train", stopped_at_10)
    assert pretrain(config_of(store), part) == 75
    monkeypatch.undo()
    extract_entities((str(store),))  # what the phrases say is the same, kept or not
    assert pretrain(config_of(store), part) == 0
    ends = [jax.tree.leaves(load_run(folder, STEPS).variables) for folder in (part, run)]
    assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(*ends, strict=True))


def test_it_is_evaluated_by_prompts_and_by_names_seen_and_unseen_apart(run, store, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = [f"--run={run}", f"--store={store}", "--split=validation", "--random_seeds=1", "--kernels=84"]
    assert evaluate.main([*words, "--parts=probe,zero_shot,retrieval"]) == 0
    found = next((run / "evaluation").glob("*/validation/results.json"))
    rows = json.loads(found.read_text())["rows"]
    kinds = {(row["method"], row["evaluation"], row["feature"], row["variant"]) for row in rows}
    assert {
        ("kmerl", "probe", "main", None),
        ("kmerl", "zero_shot", "aligned", "en"),
        ("kmerl", "zero_shot", "queries", "names"),
        ("random_weights", "zero_shot", "queries", "names"),
    } <= kinds
    classes = {
        variant: {
            row["class"]
            for row in rows
            if (row["method"], row["variant"], row["metric"]) == ("kmerl", variant, "auroc")
            and not row["class"].startswith("macro")
        }
        for variant in ("names", "names_seen", "names_unseen")
    }
    assert classes["names"] == classes["names_seen"] | classes["names_unseen"]
    assert classes["names_seen"] and not classes["names_seen"] & classes["names_unseen"]


def test_a_model_folder_answers_as_the_run_does_with_any_leads(run, store, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert export_model.main([f"--run={run}", f"--out={tmp_path / 'model'}"]) == 0
    encoder, trained = cgdmer_jax.load(tmp_path / "model"), load_run(run, None)
    signals, rate = open_corpus((str(store),)).read(np.arange(3)).astype(np.float32), trained.contract.rate
    names = ["atrial fibrillation", "sinus rhythm"]
    tokens, mask, _ = encode(trained.tokenizer, names, 36)
    queries = jax.jit(trained.method.query_texts)(trained.variables, tokens, mask)
    for leads in (LEADS, ("I", "II", "V2"), ("II",)):
        given = signals[:, [LEADS.index(lead) for lead in leads]]
        scores = encoder.zero_shot(given, {name: name for name in names}, rate, leads, "uV")
        prepared = [prepare(trained.contract, one, rate, leads, "uV") for one in given]
        batch = build.blank_batch_of(3, trained.contract, 4)._replace(
            signal=np.stack([one.signal for one in prepared]),
            lead_mask=np.stack([one.lead_mask for one in prepared]),
            length=np.array([one.length for one in prepared], np.int32),
        )
        assert np.all(batch.lead_mask.sum(1) <= len(leads))
        expected = jax.jit(trained.method.query_ecg)(trained.variables, batch, queries)
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)
        assert scores.shape == (3, 2) and np.ptp(scores[:, 0]) > 1e-6


def test_reports_that_state_nothing_are_refused_with_what_to_do(tmp_path):
    store = write_store(tmp_path / "store", [f"number {row} and no more" for row in range(60)])
    config = config_of(store)
    config.data.min_patients = 1
    with pytest.raises(CgdmerError, match=r"no training report states an entity .* give stores with reports in"):
        pretrain(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_language_models_table_that_is_not_there_names_the_command(store, tmp_path):
    config = config_of(store)
    config.method.entity_reader = "some-model"
    told = r"make it with python -m experiments\.extract_entities --store=.* --endpoint=URL --model=some-model"
    with pytest.raises(CgdmerError, match=told):
        pretrain(config, tmp_path / "run")
