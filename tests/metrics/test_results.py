"""results.json: fields, unique key, figures of macro rows, paired differences."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import bootstrap, results

SETTING = results.Setting(
    store="ptbxl100",
    split="validation",
    method="cgdmer",
    run="nano",
    feature="main",
    feature_dim=256,
    evaluation="probe",
    task="super",
    domain="in",
    supervision="labels",
    seen_in_training=False,
)
CLASSES = ("NORM", "MI", "RARE")


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    labels = rng.random((200, 3)) < np.array([0.5, 0.2, 0.0])
    labels[:3, 2] = True  # fewer than ten
    weights = bootstrap.patient_weights(np.arange(200) // 2, 100, seed=0)

    def scores(skill):
        return 1 / (1 + np.exp(-(rng.normal(size=labels.shape) + skill * labels)))

    return labels, scores, weights


def score(given, labels, weights=None, setting=SETTING):
    return results.rows_for_scores(setting, given, labels, CLASSES, probabilities=False, weights=weights)


def rows_by(rows, **wanted):
    return [row for row in rows if all(row[k] == v for k, v in wanted.items())]


def test_rows_have_the_fields_of_the_design_and_a_unique_key(case):
    labels, scores, weights = case
    found = results.rows_for_scores(SETTING, [scores(1)], labels, CLASSES, probabilities=True, weights=weights).rows
    results.check_rows(found)
    assert len(found) == 4 * (3 + 2)
    assert [f for f in found[0]] == [*results.KEY, *results.FIGURES]


def test_macro_ge10_leaves_the_rare_class_out_and_macro_all_does_not(case):
    labels, scores, weights = case
    given = scores(1)
    rows = score([given], labels, weights).rows
    each = [roc_auc_score(labels[:, k], given[:, k]) for k in range(3)]
    (ge10,) = rows_by(rows, metric="auroc", **{"class": "macro_ge10"})
    (whole,) = rows_by(rows, metric="auroc", **{"class": "macro_all"})
    assert ge10["value"] == pytest.approx(np.mean(each[:2]), abs=1e-6)
    assert whole["value"] == pytest.approx(np.mean(each), abs=1e-6)
    assert ge10["low"] < ge10["value"] < ge10["high"]
    assert whole["low"] is None and whole["high"] is None
    assert ge10["n"] == 200 and ge10["n_positive"] == labels[:, :2].sum()


def test_interval_is_of_the_macro_score_itself(case):
    labels, scores, weights = case
    given = scores(1)
    scored = score([given], labels, weights)
    expected = [np.mean([roc_auc_score(labels[:, k], given[:, k], sample_weight=w) for k in range(2)]) for w in weights]
    np.testing.assert_allclose(scored.samples, expected)
    (ge10,) = rows_by(scored.rows, metric="auroc", **{"class": "macro_ge10"})
    np.testing.assert_allclose([ge10["low"], ge10["high"]], np.quantile(expected, [0.025, 0.975]), atol=1e-6)


def test_class_that_was_not_learned_is_null_and_in_no_macro(case):
    labels, scores, weights = case
    given = scores(1)
    rows = results.rows_for_scores(
        SETTING,
        [given],
        labels,
        CLASSES,
        probabilities=True,
        defined=np.array([True, False, True]),
        weights=weights,
    ).rows
    assert all(row["value"] is None for row in rows_by(rows, **{"class": "MI"}))
    (ge10,) = rows_by(rows, metric="auroc", **{"class": "macro_ge10"})
    assert ge10["value"] == pytest.approx(roc_auc_score(labels[:, 0], given[:, 0]), abs=1e-6)


def test_only_probabilities_get_calibration_figures(case):
    labels, scores, _ = case
    rows = score([scores(1)], labels).rows
    assert {row["metric"] for row in rows} == {"auroc", "auprc"}
    assert all(row["low"] is None for row in rows)


def test_several_seeds_give_their_mean_and_a_wider_interval(case):
    labels, scores, weights = case
    given = [scores(0.2), scores(1), scores(3)]
    pooled = score(given, labels, weights)
    alone = [score([s], labels, weights) for s in given]
    assert pooled.macro_auroc == pytest.approx(np.mean([a.macro_auroc for a in alone]))
    assert np.ptp(pooled.samples) > max(np.ptp(a.samples) for a in alone)
    assert {row["n_seeds"] for row in pooled.rows} == {3}


def test_each_resample_has_the_scores_of_the_seed_it_draws(case):
    labels, scores, weights = case
    given = [scores(0.2), scores(3)]
    pooled = score(given, labels, weights)
    chosen = bootstrap.seed_of_resample(2, len(weights), results.SEED)
    expected = np.where(chosen == 0, *(score([s], labels, weights).samples for s in given))
    np.testing.assert_allclose(pooled.samples, expected)


def test_macro_only_gives_the_same_macro_interval_and_no_other(case):
    labels, scores, weights = case
    given = [scores(1), scores(2)]
    whole = score(given, labels, weights)
    cheap = results.rows_for_scores(
        SETTING, given, labels, CLASSES, probabilities=False, weights=weights, macro_only=True
    )
    np.testing.assert_array_equal(cheap.samples, whole.samples)
    with_interval = [row for row in cheap.rows if row["low"] is not None]
    assert [(row["class"], row["metric"]) for row in with_interval] == [("macro_ge10", "auroc")]
    (same,) = rows_by(whole.rows, metric="auroc", **{"class": "macro_ge10"})
    assert with_interval == [same]
    assert [row["value"] for row in cheap.rows] == [row["value"] for row in whole.rows]


def test_paired_difference_is_narrower_than_unpaired_for_correlated_scores(case):
    labels, scores, weights = case
    one = scores(1)
    two = one + 0.01 * np.random.default_rng(1).normal(size=one.shape)
    a, b = (
        score([x], labels, weights, s) for s, x in ((SETTING, one), (replace(SETTING, method="random_weights"), two))
    )
    row = results.paired_row(a, b, variant="minus random_weights")
    assert row["metric"] == "auroc_difference" and row["method"] == "cgdmer"
    assert row["value"] == pytest.approx(a.macro_auroc - b.macro_auroc, abs=1e-6)
    assert row["high"] - row["low"] < 0.3 * np.ptp(a.samples)
    results.check_rows([*a.rows, *b.rows, row])


def test_paired_difference_refuses_other_resamples(case):
    labels, scores, weights = case
    a = score([scores(1)], labels, weights)
    b = score([scores(1)], labels, weights[::-1])
    with pytest.raises(ValueError, match="same bootstrap weights"):
        results.paired_row(a, b, variant="x")


def test_two_rows_of_one_key_are_refused_by_name(case, tmp_path):
    labels, scores, _ = case
    rows = score([scores(1)], labels).rows
    with pytest.raises(CgdmerError, match=r"2 results rows share the key .*class=MI"):
        results.write_results(tmp_path / "results.json", "command", [*rows, rows[1] | {"value": 0.1}], {})
    assert not list(tmp_path.iterdir())


def test_row_without_a_field_is_refused_by_name(case):
    labels, scores, _ = case
    (row, *_) = score([scores(1)], labels).rows
    with pytest.raises(CgdmerError, match="seen_in_training"):
        results.check_rows([{k: v for k, v in row.items() if k != "seen_in_training"}])


def test_written_document_is_strict_json_and_reads_back(case, tmp_path):
    labels, scores, weights = case
    labels = labels & [True, True, False]
    rows = results.rows_for_scores(SETTING, [scores(1)], labels, CLASSES, probabilities=True, weights=weights).rows
    path = tmp_path / "a" / "results.json"
    results.write_results(path, "python -m experiments.evaluate", rows, {"step": 3})

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    written, document = json.loads(path.read_text(), parse_constant=refuse), results.read_results(path)
    assert written == document | {"sha256": written["sha256"]}
    assert document["rows"] == rows and document["command"] == "python -m experiments.evaluate"
    assert "numpy" in document["environment"]["packages"]
    (rare,) = rows_by(document["rows"], metric="auroc", **{"class": "RARE"})
    assert rare["value"] is None and rare["n_positive"] == 0


def test_another_figure_in_the_file_is_refused_and_an_older_file_without_hash_is_read(tmp_path):
    path = tmp_path / "results.json"
    row = results.plain_row(SETTING, "affirmed_share", "MI", 0.25, n=10, n_positive=0)
    results.write_results(path, "command", [row], {"step": 3})
    content = path.read_text()
    path.write_text(content.replace("0.25", "0.75"))
    with pytest.raises(CgdmerError, match=r"results\.json differs from what was written .* delete it and evaluate the"):
        results.read_results(path)
    before = {name: value for name, value in json.loads(content).items() if name != "sha256"}
    path.write_text(json.dumps(before))
    assert results.read_results(path) == before


def test_plain_row_fits_the_table():
    row = results.plain_row(SETTING, "affirmed_share", "MI", float("nan"), n=10, n_positive=0)
    results.check_rows([row])
    assert row["value"] is None and row["low"] is None and row["n_seeds"] == 1
    interval = bootstrap.Interval(0.1, 0.3)
    row = results.plain_row(SETTING, "x", "all", 0.2, n=10, n_positive=5, interval=interval, n_seeds=3)
    assert (row["value"], row["low"], row["high"], row["n_seeds"]) == (0.2, 0.1, 0.3, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "0.8"}, "row 0 of .*r.json holds '0.8' as value"),
        ({"value": float("nan")}, "holds 'nan' as value"),
        ({"n": 3.5}, "holds '3.5' as n"),
        ({"seen_in_training": 0}, "holds '0' as seen_in_training"),
        ({"protocol": "cleaner"}, "has an unknown protocol"),
        ({"task": ["a"]}, "as task"),
    ],
)
def test_a_row_edited_by_hand_is_told_with_its_file_and_number(changes, words, tmp_path):
    row = results.plain_row(SETTING, "auroc", "A", 0.5, n=9, n_positive=4)
    results.write_results(tmp_path / "r.json", "", [row], {})
    document = json.loads((tmp_path / "r.json").read_text())
    del document["sha256"]  # as in a file of an earlier version
    document["rows"][0] |= changes
    (tmp_path / "r.json").write_text(json.dumps(document))
    with pytest.raises(CgdmerError, match=words):
        results.read_results(tmp_path / "r.json")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"rows": 1', "[]", '{"command": 1}', "\0", "7"])
def test_a_results_file_that_is_no_results_file_is_told_with_its_name(content, tmp_path):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(CgdmerError, match=r"r\.json .*evaluate the run again"):
        results.read_results(tmp_path / "r.json")
