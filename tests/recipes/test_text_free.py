"""A method that reads no text goes the whole way: trained, validated, evaluated, exported, in use."""

import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.commands.export_model import main as export
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.diagnostics import diagnose
from cgdmer_jax.evaluation.evaluate import evaluate
from cgdmer_jax.evaluation.parts import PARTS
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.waveform.conditioning import LEADS
from configs import cgdmer
from tests.data.small_stores import write_store
from tests.methods.simclr import get_config, nt_xent, simclr_known

ASKED = {"checkpoint": None, "features": None, "random_seeds": 1, "kernels": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store, a run of SimCLR on it and the evaluation of all parts."""
    folder = tmp_path_factory.mktemp("text_free")
    convert(synthetic.open_source(300, 50, 0), folder / "store", rate=50, processes=1, progress=False)
    with simclr_known():
        assert pretrain(get_config(str(folder / "store")), folder / "run") == 0
        evaluate(folder / "run", str(folder / "store"), "validation", **ASKED, parts=tuple(PARTS))
        yield folder


def test_the_loss_finds_the_other_view_among_all_vectors():
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(2, 3, 4)).astype(np.float32)
    both = np.concatenate([one, other]).astype(np.float64)
    errors = []
    for at in range(6):
        rest = [np.exp(both[at] @ both[k] / 0.5) for k in range(6) if k != at]
        errors.append(-np.log(np.exp(both[at] @ both[(at + 3) % 6] / 0.5) / sum(rest)))
    np.testing.assert_allclose(nt_xent(one, other, 0.5), np.mean(errors), rtol=1e-5)


def test_its_validation_has_a_loss_and_no_retrieval(folder):
    metrics = [row for row in read_metrics(folder / "run/metrics.jsonl") if "validation_loss" in row]
    assert [row["step"] for row in metrics] == [15, 30]
    guessed = np.log(2 * get_config(str(folder / "store")).data.batch_size - 1)  # all other vectors look alike
    assert all(row["validation_loss"] < guessed for row in metrics)
    assert not any("recall" in name for row in metrics for name in row)


def test_every_part_has_rows_but_those_that_it_lacks_which_are_named_with_the_reason(folder):
    results = read_results(folder / "run/evaluation/synthetic/validation/results.json")
    assert [what for what in results["origin"]["left_out"] if what.startswith("part ")] == [
        "part zero_shot: simclr reads no text",
        "part retrieval: simclr reads no text",
        "part reconstruction: simclr reconstructs nothing",
    ]
    own = [row for row in results["rows"] if row["method"] == "simclr"]
    assert {row["evaluation"] for row in own} == {"probe", "missing_leads"}
    assert {row["feature"] for row in own} == {"main", "main+random_convolutions"}
    assert {"all", "sex=female"} <= {row["group"] for row in own}
    assert {row["label_fraction"] for row in own} == {1.0, 0.1}  # a hundredth of 210 records is too few
    assert {row["method"] for row in results["rows"]} >= {"random_weights", "hand36", "random_convolutions"}
    page = (folder / "run/evaluation/synthetic/validation/report.html").read_text(encoding="utf-8")
    assert "Nearest recordings" in page and "Nearest reports" not in page


def test_its_parts_cannot_be_diagnosed_and_one_sentence_says_so(folder):
    with pytest.raises(CgdmerError, match="a run of simclr, which has no shared and specific parts to diagnose"):
        diagnose(folder / "run", str(folder / "store"), "validation", checkpoint=None)


def test_its_model_folder_embeds_recordings_as_the_run_does_and_refuses_text(folder, capsys):
    assert export([f"--run={folder / 'run'}", f"--out={folder / 'model'}"]) == 0
    encoder = cgdmer_jax.load(folder / "model")
    assert encoder.features == {"main": 16}
    corpus = open_corpus((str(folder / "store"),))
    lines = np.flatnonzero(corpus.lead_mask.all(1))[:3]
    signal_uv = corpus.read(lines).astype(np.float64)
    found = encoder.embed(signal_uv, 50, LEADS, "uV")
    assert found.shape == (3, 16) and np.isfinite(found).all() and np.std(found, axis=0).max() > 0
    again = encoder.embed(signal_uv[1], 50, LEADS, "uV")
    np.testing.assert_array_equal(again, found[1])
    with pytest.raises(CgdmerError, match="pretrained on recordings alone and reads no text"):
        encoder.embed_text(["sinus rhythm"])
    with pytest.raises(CgdmerError, match="pretrained on recordings alone and reads no text"):
        encoder.zero_shot(signal_uv, {"SR": "sinus rhythm"}, 50, LEADS, "uV")


def test_a_store_without_a_single_report_is_enough_and_a_method_that_reads_text_refuses_it(folder, tmp_path):
    config = get_config(write_store(tmp_path / "store", [None] * 80))
    config.optimizer.steps = 2
    config.run.validation_records = 8
    assert pretrain(config, tmp_path / "run") == 0
    assert load_run(tmp_path / "run", None).step == 2
    reads_text = cgdmer.get_config("quickstart")
    reads_text.data.update(stores=tuple(config.data.stores), batch_size=8)
    with pytest.raises(CgdmerError, match="the training split has no report to train a tokenizer on"):
        pretrain(reads_text, tmp_path / "other")


def test_a_method_config_without_scaling_is_told_in_one_sentence(folder, tmp_path):
    config = get_config(str(folder / "store"))
    del config.method.scaling
    with pytest.raises(CgdmerError, match=r"config\.method\.scaling is missing"):
        pretrain(config, tmp_path / "run")
