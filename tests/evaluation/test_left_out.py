"""A part that cannot be scored is left out by name; all others keep the figures that they have without it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cgdmer_jax.data.sources import ptbxl
from cgdmer_jax.data.splits import probe_folds
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.text.cleaning import RULES
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation import evaluate as evaluation
from cgdmer_jax.evaluation.evaluate import evaluate
from cgdmer_jax.evaluation.parts import PARTS
from cgdmer_jax.evaluation.subject import Task, unscorable
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.recipes.pretrain import pretrain
from tests.data.merl_tables import write_tables
from tests.data.ptbxl_root import line, write_root
from tests.data.small_stores import small_source, write_store
from tests.toy_runs import toy_config, toy_known

RECORDS = range(2, 402)
REPORTS = [f"report number {row % 7}" for row in range(120)]
ASKED = {"checkpoint": None, "features": None, "random_seeds": 1, "kernels": 4}
FINDINGS = ("SR", "AFIB", "STACH")  # of the synthetic collection, which has prompts
WHOLE = ("{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}", "{'IMI': 100.0, 'LVOLT': 0.0, 'SR': 0.0}")
SUBSET = ("{'NORM': 100.0}", "{'IMI': 100.0}")  # neither form nor rhythm


def ptbxl_store(folder, codes) -> str:
    lines = [line(number, scp_codes=codes[number // 20 % 2]) for number in RECORDS]
    root = write_root(folder / "root", lines)
    convert(ptbxl.open_source(root, 100), folder / "store", rate=100, seconds=1.2, processes=1, progress=False)
    return str(folder / "store")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs of the toy: on the synthetic collection, and on a PTB-XL of all four tasks."""
    folder = tmp_path_factory.mktemp("left_out")
    with toy_known():
        own = toy_config(write_store(folder / "own", REPORTS, codes=FINDINGS))
        whole = toy_config(ptbxl_store(folder / "whole", WHOLE))
        assert pretrain(own, folder / "run") == pretrain(whole, folder / "ptbxl_run") == 0
        yield folder


def written(run, name: str) -> dict:
    (file,) = (run / "evaluation").glob(f"{name}/validation/**/results.json")
    return read_results(file)


def test_tasks_without_a_label_are_named_and_the_others_have_the_rows_of_a_whole_collection(folder, tmp_path, capsys):
    subset, run = ptbxl_store(tmp_path, SUBSET), folder / "ptbxl_run"
    parts = ("zero_shot", "label_fractions")
    evaluate(run, str(folder / "whole/store"), "validation", **ASKED, parts=parts)
    evaluate(run, subset, "validation", **ASKED, parts=parts)
    found, whole = written(run, "ptbxl-*"), written(run, "ptbxl")
    assert {row["task"] for row in found["rows"]} == {"super", "sub"}
    seen = {"seen_in_training": False}  # of other signals of the same patients: alike in both
    expected = [row | seen for row in whole["rows"] if row["task"] in ("super", "sub")]
    assert [row | seen for row in found["rows"]] == expected and expected
    reason = "the store has no labelled records of it to fit on and to choose on and to score"
    told, told_of_whole = (set(document["origin"]["left_out"]) for document in (found, whole))
    assert told - told_of_whole == {f"task {name}: {reason}" for name in ("form", "rhythm")}
    assert {text.split(":")[0] for text in told_of_whole} == {
        f"1% of the labels of task {name}" for name in ("super", "sub", "form", "rhythm")
    }
    assert f"left out: task form: {reason}" in capsys.readouterr().out
    (page,) = (run / "evaluation").glob("ptbxl-*/validation/report.html")
    assert f"task rhythm: {reason}" in page.read_text()


def test_a_task_with_labels_in_other_folds_is_left_out_with_the_fold_that_lacks_them():
    nothing, some = np.zeros(0, int), np.arange(3)
    task = Task("rhythm", ["SR"], some, nothing, some, np.ones((3, 1), bool), np.ones((1, 3), np.int16))
    folds = probe_folds("validation")
    assert unscorable(task, 29, folds) == "of its 29 labelled records none is in fold 8 (to choose on)"
    both = replace(task, fit=nothing)
    told = "of its 29 labelled records none is in folds 1 to 7 (to fit on) or fold 8 (to choose on)"
    assert unscorable(both, 29, folds) == told
    assert unscorable(task, 0, folds) == "the store has no labelled records of it to choose on"
    assert unscorable(replace(task, choose=some), 29, folds) is None


def test_one_small_table_of_merl_loses_its_smallest_share_alone(folder, tmp_path):
    tables = write_tables(tmp_path / "tables", [(n, n // 2, n // 2 % 10 + 1) for n in RECORDS])
    small = tables / "ptbxl/form/ptbxl_form_train.csv"
    small.write_text("".join(small.read_text().splitlines(keepends=True)[:80]))
    prompts = json.loads((tables / "CKEPE_prompt.json").read_text())
    (tables / "CKEPE_prompt.json").write_text(json.dumps({k: v for k, v in prompts.items() if k != "AFIB"}))
    run = folder / "ptbxl_run"
    evaluate(run, str(folder / "whole/store"), "validation", **ASKED, protocol="merl", tables=tables)
    document = read_results(run / "evaluation/ptbxl/validation/merl/results.json")
    probes = {(r["task"], r["label_fraction"]) for r in document["rows"] if r["evaluation"] == "probe" and r["n"]}
    tasks = ("super", "sub", "sub_exact", "form", "rhythm")
    assert probes == {(task, share) for task in tasks for share in (1.0, 0.1, 0.01)} - {("form", 0.01)}
    assert {r["task"] for r in document["rows"] if r["evaluation"] == "zero_shot"} - {"cpsc2018", "csn"} == {
        "super", "sub", "sub_exact", "form",
    }  # fmt: skip
    told = document["origin"]["left_out"]
    assert any(text.startswith("1% of the labels of task form, toy: ") for text in told)
    assert "zero-shot of task rhythm: class AFIB has no published prompt" in told


def test_a_run_without_its_curves_is_scored_and_the_page_says_so(folder):
    """As an imported one, that was trained elsewhere."""
    run = folder / "run"
    (run / "metrics.jsonl").rename(folder / "metrics.jsonl")
    evaluate(run, str(folder / "own"), "validation", **ASKED, parts=("probe",))
    page = (run / "evaluation/synthetic/validation/report.html").read_text()
    assert "training curves: the run has no metrics.jsonl" in page and ">Training</h2>" not in page
    (folder / "metrics.jsonl").rename(run / "metrics.jsonl")
    evaluate(run, str(folder / "own"), "validation", **ASKED, parts=("probe",))
    assert ">Training</h2>" in (run / "evaluation/synthetic/validation/report.html").read_text()


def test_a_collection_without_prompts_or_reports_has_all_that_needs_neither(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(RULES, "csn", {})
    store = write_store(tmp_path / "csn", [None] * 120, name="csn", codes=FINDINGS)
    state = evaluate(folder / "run", store, "validation", **ASKED)
    assert state.seconds.keys() == {"embed", "headline", "convolutions", *PARTS, "report"}
    assert {row["evaluation"] for row in state.rows} == {"probe", "missing_leads"}
    assert [text.partition(":")[0] for text in state.left_out] == [
        "zero-shot of task findings", "part retrieval", "part reconstruction",
        "10% of the labels of task findings", "1% of the labels of task findings",
    ]  # fmt: skip
    assert {row["n"] for row in state.rows if row["group"] in ("age=unknown", "sex=unknown")} == {12}


def test_zero_shot_of_a_collection_that_is_all_test_is_what_it_is_among_records_to_fit_on(folder, tmp_path):
    """As CODE-test, which was published to test on."""
    source = small_source(REPORTS, codes=FINDINGS)
    alone = replace(source, records=[record for record in source.records if record.fold == 10])
    convert(alone, tmp_path / "alone", rate=100, seconds=1.2, progress=False)
    state = evaluate(folder / "run", str(tmp_path / "alone"), "test", **ASKED)
    whole = evaluate(folder / "run", str(folder / "own"), "test", **ASKED, parts=("zero_shot",))
    found, expected = ([row for row in one.rows if row["evaluation"] == "zero_shot"] for one in (state, whole))
    assert found == expected and {row["task"] for row in found} == {"findings"}
    assert {row["evaluation"] for row in state.rows} == {"zero_shot", "retrieval"}
    why = "of its 12 labelled records none is in folds 1 to 8 (to fit on) or fold 9 (to choose on)"
    assert state.left_out[0] == f"probe of task findings: {why}"
    assert "part floors: no task of the store has records to fit and choose a probe on" in state.left_out
    (page,) = (folder / "run/evaluation").glob("synthetic-*/test/report.html")
    assert f"probe of task findings: {why}" in page.read_text()


def test_a_store_without_one_label_still_has_its_retrieval(folder, tmp_path):
    state = evaluate(folder / "ptbxl_run", ptbxl_store(tmp_path, ("{}", "{}")), "validation", **ASKED)
    assert {row["evaluation"] for row in state.rows} == {"retrieval"}
    assert {row["n_positive"] for row in state.rows if row["variant"] == "ecg_to_text"} == {40}
    assert {"task super", "task rhythm", "part floors", "part groups"} <= {
        text.partition(":")[0] for text in state.left_out
    }


def test_a_store_without_a_record_in_the_split_is_refused_before_the_work(folder, tmp_path):
    store = write_store(tmp_path / "train_only", ["a report"] * 9, folds=[1] * 9)
    with pytest.raises(CgdmerError, match="no record in the validation split"):
        evaluate(folder / "run", store, "validation", **ASKED)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metrics.jsonl", "[" * 100_000 + "\n", "line 1 of .*metrics.jsonl is nested"),
        ("metrics.jsonl", '{"step": "one"}\n', "line 1 of .*metrics.jsonl is not a step"),
        ("evaluation/synthetic/validation/diagnostics.json", '{"ranks": 3}', "run experiments.diagnose again"),
        ("evaluation/synthetic/validation/merl/results.json", '{"a":' * 900, "nested .*evaluate the run again"),
        ("evaluation/synthetic/validation/merl/results.json", '{"rows": []}', "lacks command"),
    ],
)
def test_a_damaged_file_that_the_page_shows_is_told_before_the_work(folder, name, content, words, monkeypatch):
    monkeypatch.setattr(evaluation, "embed_records", lambda *_: pytest.fail("it was scored first"))
    file = folder / "run" / name
    before = file.read_bytes() if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    with pytest.raises(CgdmerError, match=words):
        evaluate(folder / "run", str(folder / "own"), "validation", **ASKED)
    file.unlink() if before is None else file.write_bytes(before)
