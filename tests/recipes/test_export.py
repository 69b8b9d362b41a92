"""The export command: a run's checkpoint as a folder that loads, with a card that tells no more than is known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import cgdmer_jax
from cgdmer_jax.commands.export_model import main
from cgdmer_jax.contract import without_patients
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.store.store_info import sealed_info
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import Setting, plain_row, write_results
from cgdmer_jax.recipes.export import kept_seconds, vocabulary
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from tests.data.small_stores import small_source, write_store
from tests.sealed_files import rewrite
from tests.toy_runs import toy_config, toy_known

SETTING = Setting("synthetic", "test", "toy", "run", "main", 1, "probe", "findings", "in", "labels", False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    store = write_store(folder / "store", [f"report number {row}" for row in range(60)])
    with toy_known():
        assert pretrain(toy_config(store), folder / "run") == 0
        yield folder


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished / "run", tmp_path / "run")


def export(run, *more: str) -> str:
    assert main([f"--run={run}", f"--out={run.parent / 'model'}", *more]) == 0
    return (run.parent / "model/README.md").read_text()


def test_a_model_folder_is_no_run_folder(run):
    export(run)
    with pytest.raises(CgdmerError, match=r"model is a model folder; give the run folder that it was exported from"):
        load_run(run.parent / "model", None)


def score(run, value: float | None, checkpoint: str):
    row = plain_row(SETTING, "auroc", "macro_ge10", value, n=6, n_positive=3)
    out = run / "evaluation/synthetic/test"
    write_results(out / "results.json", "python -m experiments.evaluate", [row], {"checkpoint": checkpoint})


def test_the_folder_holds_the_weights_of_the_last_checkpoint_and_loads(run):
    export(run)
    ours, theirs = load_file(run.parent / "model/model.safetensors"), load_run(run, None).variables
    assert cgdmer_jax.load(run.parent / "model").contract == without_patients(load_run(run, None).contract, None)
    line, counted = theirs.params["line"], theirs.state["n"]
    expected = {"params/line/kernel": line["kernel"], "params/line/bias": line["bias"], "state/n": counted}
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(ours[name], value)


def test_a_damaged_tokenizer_of_an_older_run_is_known_by_its_contract(run):
    """Its config.json holds no hash, neither its own nor the tokenizer's."""
    config, tokenizer = run / "config.json", run / "tokenizer/tokenizer.json"
    older = {name: value for name, value in json.loads(config.read_text()).items() if name not in ("files", "sha256")}
    config.write_text(json.dumps(older))
    load_run(run, None)
    tokenizer.write_text(tokenizer.read_text().replace('"report"', '"reporu"'))
    with pytest.raises(CgdmerError, match=r"tokenizer is not the tokenizer of this run \(sha256 in input\.json\)"):
        load_run(run, None)


def test_the_card_names_data_origin_and_purpose(run):
    card = export(run)
    assert "not a medical device" in card
    assert "- synthetic: 48 patients; licence: none; cite: none" in card
    assert "Recordings: the first 1.2 s of each; 0 were longer; of 60 records 40 are shorter and padded" in card
    assert "this checkpoint was not evaluated before the export" in card
    origin = json.loads((run.parent / "model/config.json").read_text())["origin"]
    assert (origin["step"], origin["exported_at_version"]) == (6, cgdmer_jax.__version__)


def test_the_card_shows_figures_of_this_checkpoint_only(run):
    score(run, 0.8125, load_run(run, None).checkpoint)
    assert "| toy, probe, main | synthetic, test | findings | 0.812 | 6 | in, labels |" in export(run)
    shutil.rmtree(run.parent / "model")
    score(run, 0.8125, "of another")
    assert "0.812" not in export(run)


def test_the_card_of_an_evaluation_without_enough_positives_says_that(run):
    score(run, float("nan"), load_run(run, None).checkpoint)
    card = export(run)
    assert "Evaluated on synthetic, test, without a figure of findings: a class needs 10 positives" in card
    assert "not evaluated before the export" not in card and "| what |" not in card
    assert "No figure above is from another collection" in card


@pytest.mark.parametrize(
    ("which", "told"),
    [
        ("first", "the first 1 s of each; 60 were longer; of 60 records 0 are shorter and padded"),
        ("centre", "the central 1 s of each; 60 were longer; of 60 records 0 are shorter and padded"),
        (
            "all",
            "of one longer than 1 s every 1 s are a record, but for a rest under 1 s; of 60 records 0 ",
        ),
    ],
)
def test_the_card_says_which_seconds_of_longer_recordings_were_used(tmp_path, which, told):
    source = small_source(["a report"] * 60)
    convert(source, tmp_path / "store", rate=100, seconds=1.0, windows=which, progress=False)
    assert kept_seconds(open_store(tmp_path / "store")).startswith(told)


def test_of_a_store_of_before_the_card_does_not_say_that_nothing_was_cut(tmp_path):
    store = Path(write_store(tmp_path / "store", ["a report"] * 6))
    info = json.loads((store / "dataset.json").read_text())
    del info["n_longer"], info["sha256"]
    (store / "dataset.json").write_text(sealed_info(info))
    assert kept_seconds(open_store(store)).startswith("the first 1.2 s of each; how many were longer is not known;")


def test_a_store_that_is_damaged_since_is_no_reason_to_export_nothing(finished, run, tmp_path):
    damaged = shutil.copytree(finished / "store", tmp_path / "damaged")
    content = bytearray((damaged / "records.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "records.parquet").write_bytes(content)
    data = json.loads((run / "config.json").read_text())["data"]
    rewrite(run / "config.json", data=data | {"stores": [str(damaged)]})
    assert "how many are shorter and padded is not known (the store is damaged)" in export(run)


def test_a_store_that_was_removed_leaves_its_licence_unknown(run):
    data = json.loads((run / "config.json").read_text())["data"]
    rewrite(run / "config.json", data=data | {"stores": ["gone"]})
    assert "licence: not known here" in export(run)


def test_with_a_key_the_owner_can_ask_for_patients(run, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"k" * 15)
    with pytest.raises(CgdmerError, match=r"has 15 bytes, fewer than 16; make one"):
        export(run, f"--patient_key={key}")
    key.write_bytes(b"k" * 16)
    assert "as HMAC-SHA256 under a key, and whoever has it can compare them" in export(run, f"--patient_key={key}")
    model = cgdmer_jax.load(run.parent / "model")
    expected = [True, False, False]
    assert model.was_trained_on_patient(["synthetic:p0", "synthetic:p9", "p0"], b"k" * 16).tolist() == expected


def test_the_card_says_whose_words_the_vocabulary_has(run):
    def said(**data) -> str:
        config = load_run(run, None).config
        with config.unlocked():
            config.data.update(data)
        return vocabulary(config)

    assert "of at least 5 patients" in said()
    assert "without a bound" in said(min_patients=1)
    assert "was given" in said(tokenizer="/home/somebody/tokenizer") and "somebody" not in said(tokenizer="/somebody")


def test_an_existing_folder_is_refused(run):
    (run.parent / "model").mkdir()
    with pytest.raises(CgdmerError, match="exists already"):
        export(run)
