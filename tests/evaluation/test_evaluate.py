"""The whole path on the smallest scale: synthetic recordings in, a scored run out."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.data.text.prompts import load_prompts
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluate import evaluate
from cgdmer_jax.evaluation.parts import PARTS
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.models.masking.slots import STRATEGIES
from cgdmer_jax.recipes.build import read_batches
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from configs import quickstart
from tests.report.test_page import Page
from tests.sealed_files import rewrite

ROOT = Path(__file__).parents[2]
ASKED = {"checkpoint": None, "features": ("main", "specific"), "random_seeds": 2, "kernels": 20}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """(run folder, store) of a few steps on 900 synthetic records, scored on the validation split."""
    folder = tmp_path_factory.mktemp("whole_path")
    store, run = folder / "store", folder / "run"
    convert(synthetic.open_source(900, 50, 0), store, rate=50, processes=1, progress=False)
    config = quickstart.get_config()
    config.data.stores = (str(store),)
    config.data.batch_size = 16
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part] = {"width": 16, "depth": 1, "heads": 2}
    config.optimizer.steps = 4
    config.run.validation_records = 16
    assert pretrain(config, run) == 0
    evaluate(run, str(store), "validation", **ASKED)
    return run, store


def _rows(evaluated) -> list[dict]:
    return read_results(evaluated[0] / "evaluation/synthetic/validation/results.json")["rows"]


def test_an_evaluation_leaves_exactly_the_files_of_the_design(evaluated):
    run, _ = evaluated
    out = run / "evaluation" / "synthetic" / "validation"
    names = {p.name for p in out.iterdir()}
    of_design = {"results.json", "predictions.npz", "report.json", "report.html"}
    assert of_design <= names and all(n.startswith("features-") for n in names - of_design)


def test_every_floor_and_feature_has_its_row(evaluated):
    rows = _rows(evaluated)
    macro = {
        (r["evaluation"], r["method"], r["feature"])
        for r in rows
        if r["class"] == "macro_ge10" and r["metric"] == "auroc" and r["evaluation"] in ("probe", "zero_shot")
    }
    assert macro == {
        ("probe", "cgdmer", "main"),
        ("probe", "cgdmer", "specific"),
        ("probe", "random_weights", "main"),
        ("probe", "hand36", "hand36"),
        ("probe", "random_convolutions", "ridge"),
        ("probe", "cgdmer", "main+random_convolutions"),
        ("zero_shot", "cgdmer", "aligned"),
        ("zero_shot", "random_weights", "aligned"),
    }
    assert {r["n_seeds"] for r in rows if r["method"] == "random_weights" and r["label_fraction"] == 1} == {2}


def test_what_the_encoder_adds_to_random_convolutions_is_told_as_a_difference(evaluated):
    beside = "main+random_convolutions"
    rows = [
        r for r in _rows(evaluated) if (r["evaluation"], r["class"], r["label_fraction"]) == ("probe", "macro_ge10", 1)
    ]
    (told,) = [r for r in rows if r["metric"] == "auroc_difference" and r["feature"] == beside]
    value = {r["feature"]: r["value"] for r in rows if r["metric"] == "auroc" and r["group"] == "all"}
    assert told["variant"] == "minus_random_convolutions" and told["low"] <= told["value"] <= told["high"]
    assert told["value"] == pytest.approx(value[beside] - value["ridge"], abs=2e-6)
    width = {r["feature"]: r["feature_dim"] for r in rows}
    assert width[beside] == width["main"] + width["ridge"]


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


def test_zero_shot_scores_are_cosines_to_the_mean_of_the_prompts_as_the_method_embeds_them(evaluated):
    run, store = evaluated
    trained, corpus = load_run(run, None), open_corpus((str(store),))
    saved = np.load(run / "evaluation/synthetic/validation/predictions.npz")
    line_of = {str(name): line for line, name in enumerate(corpus.column("record_id"))}
    lines = np.array([line_of[name] for name in saved["findings/record_id"][:8]])
    table = token_table(corpus, trained.tokenizer, trained.config.data.max_tokens)
    batch, _ = next(iter(read_batches(corpus, lines, table, len(lines))))
    ecg = np.asarray(jax.jit(trained.method.embed_ecg)(trained.variables, batch)["aligned"], np.float64)
    prompts = load_prompts("synthetic")["findings"]
    for k, code in enumerate(saved["findings/classes"][:3]):
        texts = [clean(text, "synthetic") for text in prompts[code]["en"]]
        tokens, mask, _ = encode(trained.tokenizer, texts, trained.config.data.max_tokens)
        mean = np.asarray(jax.jit(trained.method.embed_text)(trained.variables, tokens, mask), np.float64).mean(0)
        wanted = ecg @ mean / np.linalg.norm(mean)
        np.testing.assert_allclose(saved["findings/zero_shot/cgdmer/aligned/en"][:8, k], wanted, atol=1e-5)


def test_predictions_hold_every_seed_so_that_the_mean_over_seeds_can_be_computed_again(evaluated):
    saved = np.load(evaluated[0] / "evaluation/synthetic/validation/predictions.npz")
    scores, labels = saved["findings/probe/random_weights/main"], saved["findings/labels"]
    assert scores.shape == (2, *labels.shape)
    for k, code in enumerate(saved["findings/classes"]):
        (row,) = [
            r for r in _rows(evaluated)
            if (r["class"], r["method"], r["metric"], r["evaluation"]) == (code, "random_weights", "auroc", "probe")
            and r["label_fraction"] == 1 and r["group"] == "all"
        ]  # fmt: skip
        seeds = [roc_auc_score(labels[:, k], one[:, k]) for one in scores]
        assert row["value"] == pytest.approx(np.mean(seeds), abs=1e-4)


def test_results_say_which_run_checkpoint_and_commit_they_come_from(evaluated):
    run, _ = evaluated
    origin = read_results(run / "evaluation/synthetic/validation/results.json")["origin"]
    assert (origin["run"], origin["step"]) == ("run", 4)
    assert len(origin["checkpoint"]) == len(origin["prompts"]) == 64
    assert list(origin["seconds"]) == ["embed", "headline", "convolutions", *PARTS]
    assert sum(origin["seconds"].values()) > 1
    assert origin["cpu_seconds"].keys() == origin["seconds"].keys()
    assert sum(origin["cpu_seconds"].values()) > 1
    assert origin["trained_at"] == json.loads((run / "environment.json").read_text())[0]["commit"]


@pytest.mark.parametrize("features", [("mian",), ("main", "main")])
def test_unknown_or_repeated_features_are_refused_before_anything_is_embedded(evaluated, features):
    with pytest.raises(CgdmerError, match="--features"):
        evaluate(evaluated[0], str(evaluated[1]), "validation", **ASKED | {"features": features})


def test_missing_leads_have_both_ways_for_each_set_and_all_leads_equal_the_probe(evaluated):
    rows = [r for r in _rows(evaluated) if r["class"] == "macro_ge10" and r["metric"] == "auroc"]
    missing = [r for r in rows if r["evaluation"] == "missing_leads"]
    assert {(r["leads"], r["variant"]) for r in missing} == {
        (leads, variant)
        for leads in ("all", "I+II+III+aVR+aVL+aVF", "I+II+V2", "I+II", "II", "I")
        for variant in ("native", "zero_fill")
    } | {("random9", "native")}
    # In the order of a curve: 12, 9, 6, 3, 2 and 1 leads.
    limb_leads = "I+II+III+aVR+aVL+aVF"
    order = ["all", "random9", limb_leads, "I+II+V2", "I+II", "II", "I"]
    assert list(dict.fromkeys(r["leads"] for r in missing)) == order
    assert {r["n_seeds"] for r in missing if r["leads"] == "random9"} == {3}
    (probe,) = [r for r in rows if (r["evaluation"], r["method"], r["feature"]) == ("probe", "cgdmer", "main")
                and r["group"] == "all" and r["label_fraction"] == 1]  # fmt: skip
    complete = [r for r in missing if r["leads"] == "all"]
    assert {r["value"] for r in complete} == {probe["value"]} and all(r["low"] is not None for r in missing)


def test_retrieval_goes_both_ways_with_random_weights_and_chance_beside_it(evaluated):
    rows = [r for r in _rows(evaluated) if r["evaluation"] == "retrieval"]
    assert {(r["method"], r["variant"], r["metric"]) for r in rows} == {
        (method, variant, metric)
        for method in ("cgdmer", "random_weights", "chance")
        for variant in ("ecg_to_text", "text_to_ecg")
        for metric in ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
    }
    to_text, to_ecg = ({(r["n"], r["n_positive"]) for r in rows if r["variant"] == v}
                       for v in ("ecg_to_text", "text_to_ecg"))  # fmt: skip
    ((texts, recordings),) = to_text
    assert to_ecg == {(recordings, texts)} and texts <= recordings
    (chance,) = [r for r in rows if r["method"] == "chance" and r["variant"] == "ecg_to_text"
                 and r["metric"] == "recall_at_10"]  # fmt: skip
    assert chance["value"] == pytest.approx(10 / texts, abs=1e-6)


def test_reconstruction_has_each_strategy_and_kind_beside_both_linear_guesses(evaluated):
    rows = [r for r in _rows(evaluated) if r["evaluation"] == "reconstruction"]
    assert {r["variant"] for r in rows} == set(STRATEGIES)
    assert {r["class"] for r in rows} == {"independent", "derivable", "all"}
    assert {r["method"] for r in rows} == {"cgdmer", "linear_same_sample", "linear_window"}
    value = {(r["method"], r["class"]): r["value"] for r in rows
             if r["variant"] == "random" and r["metric"] == "rmse_mv"}  # fmt: skip
    assert value["linear_same_sample", "derivable"] < 0.02 < value["linear_same_sample", "independent"]
    (difference,) = [r["value"] for r in rows if r["metric"] == "rmse_mv_minus_linear_window"
                     and r["variant"] == "random" and r["class"] == "all"]  # fmt: skip
    assert difference == pytest.approx(value["cgdmer", "all"] - value["linear_window", "all"], abs=2e-6)


def test_groups_are_disjoint_and_their_figures_follow_from_the_predictions(evaluated):
    run, store = evaluated
    rows = [r for r in _rows(evaluated) if r["group"] != "all"]
    for kind in ("sex", "age", "device"):
        macro = [r for r in rows if r["group"].startswith(kind) and r["class"] == "macro_ge10" and r["metric"] == "ece"]
        assert sum(r["n"] for r in macro) == {r["n"] for r in _rows(evaluated) if r["method"] == "hand36"}.pop()
    saved = np.load(run / "evaluation/synthetic/validation/predictions.npz")
    sex = open_corpus((str(store),)).column("sex")
    of_record = dict(zip(open_corpus((str(store),)).column("record_id").astype(str), sex, strict=True))
    members = np.array([of_record[r] == "female" for r in saved["findings/record_id"]])
    row = next(r for r in rows if r["group"] == "sex=female" and not r["class"].startswith("macro") and
               r["metric"] == "auroc")  # fmt: skip
    k = list(saved["findings/classes"]).index(row["class"])
    scores, labels = saved["findings/probe/cgdmer/main"][members, k], saved["findings/labels"][members, k]
    assert row["value"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-4) and row["n"] == members.sum()


def test_fewer_labels_are_five_draws_with_both_validations_and_the_floors_beside_them(evaluated):
    rows = [r for r in _rows(evaluated) if r["label_fraction"] < 1 and r["metric"] == "auroc"]
    assert {(r["method"], r["val_labels"]) for r in rows} == {
        (method, kind) for method in ("cgdmer", "random_weights", "random_convolutions") for kind in ("full", "cut")
    }
    assert {r["n_seeds"] for r in rows} == {5}


def test_report_shows_every_section(evaluated):
    page = (evaluated[0] / "evaluation/synthetic/validation/report.html").read_text()
    assert Page(page).open == []
    for title in ("Results", "Classes", "Retrieval", "Missing leads", "Reconstruction", "Groups", "Fewer labels"):
        assert f">{title}</h2>" in page
    assert "sex=female" in page and "6 limb leads" in page


def test_the_report_is_made_again_byte_for_byte_when_the_model_is_gone(evaluated, tmp_path):
    run, place = tmp_path / "run", "evaluation/synthetic/validation"
    gone = shutil.ignore_patterns("checkpoints", "tokenizer", "*.npz", "report.html")
    shutil.copytree(evaluated[0], run, ignore=gone)
    command = [sys.executable, "-m", "experiments.report", f"--evaluation={run / place}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (run / place / "report.html").read_bytes() == (evaluated[0] / place / "report.html").read_bytes()


def test_cached_features_give_the_same_rows_and_only_what_was_asked_for(evaluated):
    run, store = evaluated
    before = _rows(evaluated)
    kept = {p: p.read_bytes() for p in (run / "evaluation/synthetic/validation").iterdir()}
    state = evaluate(run, str(store), "validation", **ASKED, parts=("missing_leads",))
    for path, content in kept.items():
        path.write_bytes(content)
    assert {r["evaluation"] for r in state.rows} == {"probe", "missing_leads"}
    assert all(row in before for row in state.rows)


def test_unknown_part_is_refused_with_the_nearest_one(evaluated):
    with pytest.raises(CgdmerError, match="retrieval"):
        evaluate(evaluated[0], str(evaluated[1]), "validation", **ASKED, parts=("retreival",))


def test_scored_patients_of_the_run_s_own_test_folds_were_not_seen(evaluated):
    rows = _rows(evaluated)
    assert {r["seen_in_training"] for r in rows} == {False}
    assert {r["domain"] for r in rows} == {"in"}


def test_patients_that_were_trained_on_are_marked(evaluated, tmp_path):
    run, _ = evaluated
    contract = json.loads((run / "input.json").read_text())
    store = tmp_path / "same_patients"
    convert(synthetic.open_source(300, 50, 0), store, rate=50, processes=1, progress=False)
    from cgdmer_jax.evaluation.subject import prepare
    from cgdmer_jax.recipes import build

    scored = open_corpus((str(store),)).patient_id[open_corpus((str(store),)).fold == 9][0]
    contract["trained_on"][0]["patient_sha256"].append(build.patient_sha256(scored))
    original = (run / "input.json").read_text()
    rewrite(run / "input.json", **contract)
    try:
        assert prepare(run, str(store), "validation", None).base.seen_in_training
    finally:
        (run / "input.json").write_text(original)


def test_a_store_of_another_rate_is_refused_in_one_sentence(evaluated, tmp_path):
    store = tmp_path / "other_rate"
    convert(synthetic.open_source(30, 100, 0), store, rate=100, processes=1, progress=False)
    with pytest.raises(CgdmerError, match=r"rate 100.*trained with 50"):
        evaluate(evaluated[0], str(store), "validation", checkpoint=None, features=("main",), random_seeds=1, kernels=5)
