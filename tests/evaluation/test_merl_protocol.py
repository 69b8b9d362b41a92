"""Protocol `merl` on the smallest scale: a tiny PTB-XL, tables like MERL's with their faults, a run of two steps."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.sources import ptbxl
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.text.cleaning import RULES
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation import evaluate
from cgdmer_jax.evaluation.merl_protocol import merl_records
from cgdmer_jax.metrics.protocols import published_draw
from cgdmer_jax.metrics.results import check_rows, read_results
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.report.make import make_report
from configs import quickstart
from tests.data.merl_tables import MOVED, write_tables
from tests.data.ptbxl_root import line, write_root
from tests.data.small_stores import write_store

RECORDS = range(2, 402)
ASKED = {"checkpoint": None, "features": ("main",), "random_seeds": 1, "kernels": 10}
CODES = ("{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}", "{'IMI': 100.0, 'NDT': 0.0, 'SR': 0.0}")  # clean's tasks
TASKS = {"super", "sub", "sub_exact", "form", "rhythm"}


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """(run, store, tables) after both protocols on validation and `merl` on test."""
    folder = tmp_path_factory.mktemp("merl")
    store, run = folder / "store", folder / "run"
    root = write_root(folder / "root", [line(number, scp_codes=CODES[number // 20 % 2]) for number in RECORDS])
    convert(ptbxl.open_source(root, 100), store, rate=100, processes=1, progress=False)
    tables = write_tables(folder / "tables", [(n, n // 2, n // 2 % 10 + 1) for n in RECORDS])
    config = quickstart.get_config()
    config.data.stores = (str(store),)
    config.data.batch_size = 8
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part] = {"width": 16, "depth": 1, "heads": 2}
    config.optimizer.steps = 2
    config.run.validation_records = 8
    assert pretrain(config, run) == 0
    merl = {"protocol": "merl", "tables": tables}
    evaluate.evaluate(run, str(store), "validation", **ASKED, parts=("probe",))
    evaluate.evaluate(run, str(store), "validation", **ASKED, **merl)
    assert not (run / "test_reads.jsonl").exists()
    evaluate.evaluate(run, str(store), "test", **ASKED, **merl)
    return run, store, tables


def _rows(scored, split="test", **wanted):
    rows = read_results(scored[0] / f"evaluation/ptbxl/{split}/merl/results.json")["rows"]
    return [row for row in rows if all(row[field] == value for field, value in wanted.items())]


def test_every_row_names_the_protocol_and_has_a_key_of_its_own_beside_clean_s(scored):
    clean = read_results(scored[0] / "evaluation/ptbxl/validation/results.json")["rows"]
    merl = _rows(scored, "validation")
    assert {row["protocol"] for row in merl} == {"merl"} and {row["protocol"] for row in clean} == {"clean"}
    check_rows([*clean, *merl])


@pytest.mark.parametrize("split", ["validation", "test"])
def test_each_task_has_both_choices_at_three_shares_of_labels_and_the_release_s_prompts(scored, split):
    found = {
        (row["task"], row["method"], row["evaluation"], row["variant"], row["label_fraction"])
        for row in _rows(scored, split, metric="auroc", **{"class": "macro_all"})
        if row["n"]
    }
    probes = {
        (task, method, "probe", variant, fraction)
        for task in TASKS
        for method in ("cgdmer", "random_weights")
        for variant in (None, "max_test")
        for fraction in (1.0, 0.1, 0.01)
    }
    assert found == probes | {(task, "cgdmer", "zero_shot", "ckepe", 1.0) for task in TASKS}


def test_the_published_maximum_is_never_below_the_epoch_chosen_by_validation(scored):
    macros = _rows(scored, evaluation="probe", metric="auroc", **{"class": "macro_all"})
    fields = ("task", "method", "label_fraction", "variant")
    value = {tuple(row[field] for field in fields): row["value"] for row in macros if row["n"]}
    assert len(value) == 60
    assert all(value[*key[:3], "max_test"] >= value[key] for key in value if key[3] is None)


def test_a_macro_is_the_mean_over_all_classes_under_their_released_columns(scored):
    saved = np.load(scored[0] / "evaluation/ptbxl/test/merl/predictions.npz")
    labels, scores = saved["sub/labels"], saved["sub/probe/cgdmer/main"]
    assert saved["sub/label_classes"].tolist() == MOVED != saved["sub/classes"].tolist()
    expected = np.mean([roc_auc_score(labels[:, k], scores[:, k]) for k in range(4)])
    (row,) = _rows(scored, task="sub", method="cgdmer", evaluation="probe", variant=None, label_fraction=1.0,
                   metric="auroc", **{"class": "macro_all"})  # fmt: skip
    assert row["value"] == pytest.approx(expected, abs=1e-4) and row["low"] is None
    np.testing.assert_array_equal(saved["sub_exact/labels"], labels[:, [0, 2, 3, 1]])


def test_zero_shot_goes_by_the_scored_header_so_moved_columns_change_nothing(scored):
    by_class = [
        {r["class"]: r["value"] for r in _rows(scored, task=task, evaluation="zero_shot", metric="auroc")}
        for task in ("sub", "sub_exact")
    ]
    assert by_class[0] == by_class[1] and set(MOVED) < by_class[0].keys()


def test_collections_that_are_not_given_have_rows_without_signals(scored):
    empty = [row for row in _rows(scored) if row["n"] == 0]
    assert {(row["task"], row["store"]) for row in empty} == {("cpsc2018", "cpsc2018"), ("csn", "csn")}
    assert all(row["value"] is None for row in empty)
    folder = scored[0] / "evaluation/ptbxl/test/merl"
    page = (folder / "report.html").read_text()
    assert "no signals" in page and "protocol merl" in page and "merl; split test: fitted on the train table" in page
    assert "One patient" not in page and make_report(folder).read_text() == page


def test_only_the_test_split_is_noted_as_a_read_and_it_is_read_by_the_release_s_roles(scored):
    (read,) = (scored[0] / "test_reads.jsonl").read_text().splitlines()
    assert json.loads(read).keys() == {"command", "checkpoint", "store", "commit", "date"}
    n = {split: {row["n"] for row in _rows(scored, split) if row["n"]} for split in ("validation", "test")}
    saved = {split: np.load(scored[0] / f"evaluation/ptbxl/{split}/merl/predictions.npz") for split in n}
    fold = {split: {int(r) // 2 % 10 + 1 for r in saved[split]["super/record_id"]} for split in n}
    assert fold == {"validation": {9}, "test": {10}} and n == {"validation": {40}, "test": {40}}


def test_both_protocols_stand_side_by_side_in_print_and_share_their_features(scored, capsys):
    run, store, tables = scored
    made = sorted((run / "evaluation/ptbxl/validation").glob("features-*"))
    evaluate.evaluate(run, str(store), "validation", **ASKED, protocol="merl", tables=tables, parts=("probe",))
    printed = capsys.readouterr().out
    table = printed[printed.index("protocol ") :]
    protocols = [text.split()[0] for text in table.splitlines()[1:] if text.startswith(("clean", "merl"))]
    assert protocols == ["clean"] * 2 + ["merl"] * 12
    assert "no signals" in table and "max test · 1% of labels" in table
    assert sorted((run / "evaluation").rglob("features-*")) == [
        *sorted((run / "evaluation/ptbxl/test").glob("features-*")),
        *made,
    ]


def test_a_share_of_labels_is_the_release_s_own_draw():
    for n, fraction, kept in ((17084, 0.01, 170), (7197, 0.01, 71), (4950, 0.01, 49), (16546, 0.1, 1654)):
        drawn = published_draw(n, fraction)
        assert len(drawn) == kept == len(set(drawn))
        np.testing.assert_array_equal(drawn, train_test_split(np.arange(n), train_size=fraction, random_state=42)[0])
    assert published_draw(5, 1.0).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(CgdmerError, match="1% of 40 training records is none"):
        published_draw(40, 0.01)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "merl"}, "--tables=FOLDER .* go together"),
        ({"tables": Path("somewhere")}, "--tables=FOLDER .* go together"),
        ({"protocol": "merl", "tables": Path("x"), "parts": ("groups",)}, 'protocol merl has no part "groups"'),
    ],
)
def test_a_request_that_does_not_fit_is_refused_before_anything_is_loaded(tmp_path, changes, words):
    with pytest.raises(CgdmerError, match=words):
        evaluate.evaluate(tmp_path / "nowhere", "nowhere", "validation", **ASKED, **changes)


def test_a_store_of_csn_gives_its_two_tables_with_the_released_and_the_exact_labels(tmp_path, monkeypatch):
    monkeypatch.setitem(RULES, "csn", {})
    tables = write_tables(tmp_path / "tables", [])
    names = [f"JS{number:05d}" for number in (9, 8, 7, 6, 3, 2, 1, 0, 77)]  # no order of the tables; one of no table
    corpus = open_corpus((write_store(tmp_path / "store", ["sinus rhythm"] * 9, name="csn", record_ids=names),))
    lines, tasks, watched = merl_records(tables)(corpus, "test")
    assert [task.name for task in tasks] == ["csn", "csn_exact"]
    for task in tasks:
        of_role = [[names[lines[i]][-1] for i in role] for role in (task.fit, task.choose, task.score)]
        assert of_role == [["0", "1", "2", "3"], ["6", "7"], ["8", "9"]]
    assert [task.labels[task.score].tolist() for task in tasks] == [
        [[True, True, False], [True, True, True]],
        [[False, False, False], [False, True, True]],
    ]
    assert sorted(names[i] for i in watched) == ["JS00008", "JS00009"]


def test_a_store_of_another_collection_and_one_that_lacks_a_whole_role_are_refused(scored, tmp_path):
    run, store, _ = scored
    fewer = write_tables(tmp_path / "tables", [(n + 1000, n // 2, n // 2 % 10 + 1) for n in RECORDS])
    with pytest.raises(CgdmerError, match=r"can score no task of the published tables \(of super: .* to fit on"):
        evaluate.evaluate(run, str(store), "validation", **ASKED, protocol="merl", tables=fewer)
    other = open_corpus((write_store(tmp_path / "other", ["sinus rhythm"]),))
    with pytest.raises(CgdmerError, match="merl has no tables for the collection synthetic; give a store of cpsc2018"):
        merl_records(fewer)(other, "validation")
