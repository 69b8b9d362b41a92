"""The whole path on the smallest scale: synthetic recordings in, a scored run out."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.data.convert import convert
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.results import read_results
from configs import quickstart
from experiments.evaluate import evaluate
from experiments.pretrain import pretrain


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """(run folder, store) of a few steps on 400 synthetic records, scored on the validation split."""
    folder = tmp_path_factory.mktemp("whole_path")
    store, run = folder / "store", folder / "run"
    convert(synthetic.open_source(400, 50, 0), store, rate=50, processes=1, progress=False)
    config = quickstart.get_config()
    config.data.stores = (str(store),)
    config.data.batch_size = 16
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part] = {"width": 16, "depth": 1, "heads": 2}
    config.optimizer.steps = 4
    config.run.validation_records = 16
    assert pretrain(config, run) == 0
    evaluate(run, str(store), "validation", checkpoint=None, features=("main", "specific"), random_seeds=2, kernels=20)
    return run, store


def test_an_evaluation_leaves_exactly_the_files_of_the_design(evaluated):
    run, _ = evaluated
    out = run / "evaluation" / "synthetic" / "validation"
    names = {p.name for p in out.iterdir()}
    assert {"results.json", "predictions.npz", "report.html"} <= names
    assert all(n.startswith("features-") for n in names - {"results.json", "predictions.npz", "report.html"})


def test_every_floor_and_feature_has_its_row(evaluated):
    rows = read_results(evaluated[0] / "evaluation/synthetic/validation/results.json")["rows"]
    macro = {
        (r["evaluation"], r["method"], r["feature"])
        for r in rows
        if r["class"] == "macro_ge10" and r["metric"] == "auroc"
    }
    assert macro == {
        ("probe", "cgdmer", "main"),
        ("probe", "cgdmer", "specific"),
        ("probe", "random_weights", "main"),
        ("probe", "hand36", "hand36"),
        ("probe", "random_convolutions", "ridge"),
        ("zero_shot", "cgdmer", "aligned"),
        ("zero_shot", "random_weights", "aligned"),
    }
    assert {r["n_seeds"] for r in rows if r["method"] == "random_weights"} == {2}


def test_a_figure_can_be_computed_again_from_the_predictions_alone(evaluated):
    out = evaluated[0] / "evaluation/synthetic/validation"
    rows = read_results(out / "results.json")["rows"]
    saved = np.load(out / "predictions.npz")
    scores, labels = saved["findings/probe/cgdmer/main"], saved["findings/labels"]
    for k, code in enumerate(saved["findings/classes"]):
        row = next(
            r for r in rows
            if r["class"] == code and r["method"] == "cgdmer" and r["feature"] == "main" and r["metric"] == "auroc"
        )  # fmt: skip
        assert row["value"] == pytest.approx(roc_auc_score(labels[:, k], scores[:, k]), abs=1e-4)


def test_scored_patients_of_the_run_s_own_test_folds_were_not_seen(evaluated):
    rows = read_results(evaluated[0] / "evaluation/synthetic/validation/results.json")["rows"]
    assert {r["seen_in_training"] for r in rows} == {False}
    assert {r["domain"] for r in rows} == {"in"}


def test_patients_that_were_trained_on_are_marked(evaluated, tmp_path):
    run, _ = evaluated
    contract = json.loads((run / "input.json").read_text())
    store = tmp_path / "same_patients"
    convert(synthetic.open_source(300, 50, 0), store, rate=50, processes=1, progress=False)
    from cgdmer_jax.data.corpus import open_corpus
    from experiments import build
    from experiments.scoring import prepare

    scored = open_corpus((str(store),)).patient_id[open_corpus((str(store),)).fold == 9][0]
    contract["trained_on"][0]["patient_sha256"].append(build.patient_sha256(scored))
    original = (run / "input.json").read_text()
    (run / "input.json").write_text(json.dumps(contract))
    try:
        assert prepare(run, str(store), "validation", None).base.seen_in_training
    finally:
        (run / "input.json").write_text(original)


def test_a_store_of_another_rate_is_refused_in_one_sentence(evaluated, tmp_path):
    store = tmp_path / "other_rate"
    convert(synthetic.open_source(30, 100, 0), store, rate=100, processes=1, progress=False)
    with pytest.raises(CgdmerError, match=r"rate 100.*trained with 50"):
        evaluate(evaluated[0], str(store), "validation", checkpoint=None, features=("main",), random_seeds=1, kernels=5)
