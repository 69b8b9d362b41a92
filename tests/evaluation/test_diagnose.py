"""Diagnostics of a run of a few steps."""

import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from cgdmer_jax.commands.diagnose import main
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.data.splits import in_folds
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.evaluation.diagnostics import diagnose
from cgdmer_jax.evaluation.shared_specific import DisentangledFeatures
from cgdmer_jax.metrics.diagnostics import rank
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes.pretrain import start
from cgdmer_jax.report.diagnostics import diagnostics_section
from tests.report.test_page import Page
from tests.small_runs import ROOT, SMALL, make_store

OUT = "evaluation/synthetic/validation"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(run folder, store, document, what was printed) of two steps on 300 synthetic records."""
    folder = tmp_path_factory.mktemp("diagnose")
    store, workdir = make_store(folder / "store", 300), folder / "run"
    more = ("optimizer.steps=2", "run.diagnose_every=2", "run.log_every=1", f"data.stores={store}")
    fields = [*SMALL, *(f"--config.{field}" for field in more)]
    assert start(f"{ROOT / 'configs/cgdmer.py'}:quickstart", fields, str(workdir)) == 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([f"--run={workdir}", f"--store={store}", "--split=validation"]) == 0
    return workdir, store, json.loads((workdir / OUT / "diagnostics.json").read_text()), printed.getvalue()


def test_the_document_says_what_was_diagnosed_and_the_report_beside_it_is_left_alone(run):
    workdir, _, document, printed = run
    assert {"command", "commit", "environment"} <= document.keys()
    assert [document[k] for k in ("run", "step", "store", "split")] == ["run", 2, "synthetic", "validation"]
    assert sorted(p.suffix for p in (workdir / OUT).iterdir()) == [".json", ".npz"]
    assert "Both less shared" in printed


def test_every_section_has_its_rows(run):
    document = run[2]
    gradients = {r["term"]: r for r in document["gradients"]}
    assert {"ecg", "text", "align", "disentangle"} <= gradients.keys()
    assert all(r["weighted_norm"] == r["weight"] * r["norm"] for r in gradients.values())
    assert all(gradients[term]["norm"] > 0 for term in ("ecg", "text", "align", "disentangle"))
    both = [("ecg", "shared"), ("ecg", "specific"), ("text", "shared"), ("text", "specific")]
    assert [(r["modality"], r["part"]) for r in document["ranks"]] == both
    assert all(1 <= r["stable_rank"] <= r["effective_rank"] <= r["width"] == 16 for r in document["ranks"])
    assert [(r["modality"], r["from"]) for r in document["predictability"]] == both
    assert [(r["features"], r["centred"]) for r in document["gap"]] == [
        (name, centred) for name in ("aligned", "shared", "specific") for centred in (False, True)
    ]
    targets = [r["target"] for r in document["probes"]]
    assert targets == ["age, years", "heart rate, beats a minute", "log amplitude", "sex", "findings"]  # no devices
    assert all(r["low"] <= r["high"] for r in document["probes"])
    assert sum(r["n"] for r in document["lengths"]) == document["ranks"][0]["n"]  # every synthetic record has a text


def test_ranks_are_those_of_the_cached_features_of_the_scored_fold(run):
    workdir, store, document, _ = run
    with np.load(next((workdir / OUT).glob("features-*shared*.npz"))) as file:
        specific = file["specific"]
    fold = open_corpus((str(store),)).fold
    scored = specific[in_folds(fold, (9,))[in_folds(fold, tuple(range(1, 10)))]]
    assert document["ranks"][1]["effective_rank"] == pytest.approx(rank(scored).effective)


def test_centring_takes_most_of_the_distance_off(run):
    before, after = (r["distance"] / r["spread"] for r in run[2]["gap"] if r["features"] == "specific")
    assert after < before / 2


def test_the_section_is_well_formed_html_with_every_table(run):
    page = Page(diagnostics_section(run[2]))
    assert not page.open and [tag for tag, _ in page.tags].count("table") == 7
    assert "log amplitude" in page.words


def test_the_norms_logged_in_training_are_those_of_diagnose(run):
    workdir, _, document, _ = run
    logged = [r for r in read_metrics(workdir / "metrics.jsonl") if "gradient_norm_ecg" in r]
    assert [r["step"] for r in logged] == [2]
    for row in document["gradients"]:
        assert logged[0][f"gradient_norm_{row['term']}"] == pytest.approx(row["norm"], rel=1e-5)


def test_a_report_that_was_fitted_on_is_never_a_held_out_one():
    text_id = np.array([4, 4, 2, 2, 7, 4, -1, 9, 7])
    roles = {"fit": np.array([0, 1, 2]), "choose": np.array([3, 4]), "score": np.array([5, 6, 7, 8])}
    parts = DisentangledFeatures({}, {}, text_id, roles)
    assert [parts.texts(role).tolist() for role in roles] == [[2, 4], [7], [9]]
    assert parts.with_text("score").tolist() == [5, 7, 8]


def test_a_store_without_reports_has_every_figure_that_needs_none(run, tmp_path):
    workdir, _, whole, _ = run
    source = synthetic.open_source(300, 50, 0)
    silent = replace(source, records=[replace(record, report="") for record in source.records])
    convert(silent, tmp_path / "store", rate=50, processes=1, progress=False)
    document = diagnose(workdir, str(tmp_path / "store"), "validation", checkpoint=None)
    assert document["probes"] == whole["probes"], "recordings, folds and weights are the same"
    assert [row["modality"] for row in document["ranks"]] == ["ecg", "ecg"]
    assert document["ranks"] == whole["ranks"][:2] and document["gap"] == document["lengths"] == []
    assert [row["r2"] is None for row in document["predictability"]] == [False, False, True, True]
    assert "alignment by length: no scored record has a report" in document["left_out"]
    assert json.loads((workdir / OUT / "diagnostics.json").read_text())["left_out"] == whole["left_out"]
