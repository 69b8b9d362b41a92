"""Three collections in one run, MIMIC-IV-ECG, PTB-XL and a table of one's own; then a collection that it never saw."""

import json

import numpy as np
import pytest

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.sources.table import open_table
from cgdmer_jax.data.sources.table_columns import parse_columns
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.text.own_cleaning import no_rules
from cgdmer_jax.evaluation.evaluate import evaluate
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.recipes.pretrain import pretrain
from configs import quickstart
from tests.data.layouts import wave, write_code15, write_csv, write_mimic, write_wfdb
from tests.data.ptbxl_root import line, write_root

RATE, SECONDS = 50, 4.0
CODE = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
SAID = (["Sinus rhythm", "Normal ECG"], ["Atrial fibrillation", "Left axis deviation"], ["Sinus bradycardia"])


def made_into_a_store(source, folder) -> str:
    convert(source, folder, rate=RATE, seconds=SECONDS, progress=False)
    return str(folder)


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, str]:
    """By name: three to train on, and CODE-15 % to score on."""
    root = tmp_path_factory.mktemp("collections")
    studies = {40000000 + k: 10000000 + k // 2 for k in range(40)}
    said = {study: SAID[study % 3] for study in studies}
    write_mimic(root / "mimic", studies, said, {study: wave(study, 500, SECONDS) for study in studies})
    write_root(root / "ptbxl", [line(k) for k in range(40)], seconds=SECONDS)
    for k in range(30):
        write_wfdb(root / "own" / f"r{k}", wave(700 + k, 250, SECONDS), 250)
    write_csv(root / "own.csv", [{"file": f"r{k}", "said": f"own report number {k % 5}"} for k in range(30)])
    own = open_table(
        root / "own",
        root / "own.csv",
        parse_columns("record=file,report=said"),
        name="clinic",
        cleaning=no_rules(),
        hints=Hints(),
    )
    exams = [
        {"exam_id": k, "age": 50, "is_male": "True", "patient_id": k, "trace_file": "exams_part0.hdf5"}
        | {code: k % 7 == place for place, code in enumerate(CODE)}
        for k in range(1, 141)
    ]
    write_code15(root / "code15", exams, {int(exam["exam_id"]): wave(exam["exam_id"], 400, 7.0) for exam in exams})
    sources = {name: SOURCES[name](root / folder, RATE, False) for name, folder in SOURCE_FOLDERS.items()}
    sources["clinic"] = own.source
    return {name: made_into_a_store(source, root / "stores" / name) for name, source in sources.items()}


SOURCE_FOLDERS = {"mimic-iv-ecg": "mimic", "ptbxl": "ptbxl", "code15": "code15"}
TRAINED_ON = ("mimic-iv-ecg", "ptbxl", "clinic")


@pytest.fixture(scope="module")
def run(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    config = quickstart.get_config()
    config.data.stores = tuple(stores[name] for name in TRAINED_ON)
    config.data.batch_size = 8
    config.data.vocabulary = 200
    for part in ("ecg", "text", "second", "decoder"):
        config.method[part] = {"width": 16, "depth": 1, "heads": 2}
    config.optimizer.steps = 3
    config.run.validation_records = 8
    assert pretrain(config, folder) == 0
    return folder


def test_one_corpus_holds_the_patients_and_the_texts_of_all_three(stores):
    corpus = open_corpus([stores[name] for name in TRAINED_ON])
    assert corpus.n_records == 40 + 40 + 30
    assert {patient.partition(":")[0] for patient in corpus.patient_id} == {*TRAINED_ON}
    texts = {*corpus.texts}
    assert {"sinus rhythm. normal ecg.", "sinusrhythmus nummer 3", "own report number 4"} <= texts


def test_the_run_tells_of_all_three_collections(run):
    parts = json.loads((run / "input.json").read_text())["trained_on"]
    assert [part["name"] for part in parts] == [*TRAINED_ON]
    assert all(part["patient_sha256"] and part["signal_sha256"] for part in parts)


def test_a_collection_that_the_run_never_saw_is_probed_and_scored_zero_shot_out_of_domain(run, stores):
    parts = ("probe", "zero_shot")
    evaluate(
        run, stores["code15"], "test", checkpoint=None, features=("main",), random_seeds=1, kernels=20, parts=parts
    )
    (results,) = (run / "evaluation").glob("code15*/test/results.json")
    rows = read_results(results)["rows"]
    ours = [row for row in rows if row["method"] == "cgdmer" and row["task"] == "abnormalities"]
    assert {row["evaluation"] for row in ours} == {*parts}
    assert {(row["domain"], row["seen_in_training"]) for row in ours} == {("out", False)}
    (n_scored,) = {row["n"] for row in ours if row["class"] == "AF" and row["metric"] == "auroc"}
    scored = open_corpus([stores["code15"]])
    assert n_scored == np.sum(scored.fold == 10), "exams without any of the six are scored too"
    assert not scored.labels("abnormalities")[scored.fold == 10].any(axis=1).all()
