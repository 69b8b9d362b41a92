"""Report-to-label probe: reports that say the finding separate it, reports that say nothing do not."""

import json

import numpy as np
import pytest

from cgdmer_jax.commands.probe_texts import main
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.report_texts import of_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.text_probe import adapted_to, probed
from tests.small_runs import ROOT, make_store


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return open_corpus((str(make_store(tmp_path_factory.mktemp("texts") / "store", 400)),))


@pytest.fixture(scope="module")
def rows(corpus):
    """Rows of two text encoders: vectors that hold the words, and noise."""
    words = sorted({word for text in corpus.texts for word in text.split()})
    bag = np.array([[word in text.split() for word in words] for text in corpus.texts], np.float32)
    noise = np.random.default_rng(0).normal(size=(len(corpus.texts), 8)).astype(np.float32)
    made = [("noise", noise, "-", "out"), ("words", bag, "-", "in")]
    return [row for of_encoder in probed(corpus, made) for row in of_encoder]


def macro(rows, method, group="all"):
    keys = {"method": method, "group": group, "class": "macro_ge10", "metric": "auroc"}
    return next(row for row in rows if all(row[k] == v for k, v in keys.items()))


def test_vectors_that_hold_the_words_separate_findings_and_noise_does_not(rows):
    assert macro(rows, "words")["low"] > 0.8
    assert macro(rows, "noise")["low"] < 0.6


def test_later_encoders_are_compared_with_the_first_over_the_same_patients(rows):
    paired = [row for row in rows if row["metric"] == "auroc_difference"]
    assert {(row["method"], row["variant"]) for row in paired} == {("words", "minus_noise")}
    overall = next(row for row in paired if row["group"] == "all")
    assert overall["value"] == pytest.approx(macro(rows, "words")["value"] - macro(rows, "noise")["value"], abs=1e-5)
    assert 0 < overall["low"] < overall["value"] < overall["high"]


def test_the_scored_records_of_a_language_are_some_of_all(rows):
    whole, english = macro(rows, "words"), macro(rows, "words", "language=en")
    assert 0 < english["n"] <= whole["n"]


def test_rows_tell_the_domain_of_their_encoder(rows):
    assert {(row["method"], row["domain"]) for row in rows} == {("noise", "out"), ("words", "in")}


def test_an_encoder_adapted_to_these_training_reports_is_in_domain_and_no_other(corpus, tmp_path):
    origin = tmp_path / "origin.json"
    assert not adapted_to(tmp_path, corpus)
    origin.write_text(json.dumps({"reports_sha256": of_corpus(corpus).fingerprint}))
    assert adapted_to(tmp_path, corpus)
    origin.write_text(json.dumps({"reports_sha256": "0" * 64}))
    assert not adapted_to(tmp_path, corpus)


def test_without_an_encoder_or_without_a_name_nothing_is_probed(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    store = f"--store={corpus.stores[0].path}"
    for words, sentence in (([], "nothing to probe"), (["--text=folder"], "--text=folder has no name")):
        with pytest.raises(CgdmerError, match=sentence):
            main([store, f"--out={tmp_path / 'x.json'}", *words])
    assert not list(tmp_path.iterdir())


def test_the_command_writes_rows_for_a_folder(corpus, tmp_path, monkeypatch, capsys):
    from tests.interop.tower_folder import write_tower

    monkeypatch.chdir(ROOT)
    folder = write_tower(tmp_path / "tower", list(corpus.texts))
    (folder / "origin.json").write_text(json.dumps({"reports_sha256": of_corpus(corpus).fingerprint}))
    out = tmp_path / "out.json"
    main([f"--store={corpus.stores[0].path}", f"--text=small={folder}", f"--out={out}", "--max_tokens=10"])
    rows = json.loads(out.read_text())["rows"]
    told = {(row["method"], row["domain"], row["split"]) for row in rows}
    assert told == {("small", "in", "validation")}
    assert "report-to-label probe" in capsys.readouterr().out
