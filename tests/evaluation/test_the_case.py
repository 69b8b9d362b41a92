"""The patient's page of an evaluation: the record that was asked for, its neighbours, its heart rate, its words."""

import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from baselines.delineation.unet import UNetDelineator
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.sources import synthetic
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.case_waves import WaveModel
from cgdmer_jax.evaluation.evaluate import evaluate
from cgdmer_jax.interop.pretrained import Model
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.report.contents import read_contents
from cgdmer_jax.waveform.heart_rate import heart_rates
from cgdmer_jax.waveform.waves import waves_by_lead
from tests.evaluation.plain import plain_config, plain_known

PLACE = "evaluation/synthetic/validation"
ASKED = {"checkpoint": None, "features": ("main",), "random_seeds": 1, "kernels": 20, "parts": ("probe",)}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """(run folder, store) of two steps on 600 synthetic records; the probe was scored on the validation split."""
    folder = tmp_path_factory.mktemp("case")
    store, run = folder / "store", folder / "run"
    convert(synthetic.open_source(600, 50, 0), store, rate=50, processes=1, progress=False)
    with plain_known():
        assert pretrain(plain_config(str(store)), run) == 0
        evaluate(run, str(store), "validation", **ASKED)
        yield run, store


@pytest.fixture
def copied(evaluated, tmp_path):
    """The same for an evaluation that writes into it."""
    return shutil.copytree(evaluated[0], tmp_path / "run"), evaluated[1]


def test_the_page_shows_the_record_that_was_asked_for_and_the_terminal_what_was_found(copied, capsys):
    run, store = copied
    first = read_contents(run / PLACE).case
    with np.load(run / PLACE / "predictions.npz") as saved:
        (other, *_) = [one for one in saved["findings/record_id"].tolist() if one != first.record_id]
    evaluate(run, str(store), "validation", **ASKED, case=other)
    contents, page = read_contents(run / PLACE), (run / PLACE / "report.html").read_text()
    corpus = open_corpus((str(store),))
    (line,) = np.flatnonzero(corpus.column("record_id").astype(str) == other)
    assert contents.case.record_id == other and f"Record {other} of synthetic" in page
    assert contents.case.origin["This recording"].startswith("picked by hand (--case)")
    assert first.origin["This recording"].startswith("the first one scored, not picked")
    np.testing.assert_array_equal(contents.case.tracing.signal_uv, corpus.read(np.array([line]))[0])
    assert contents.reconstructions[0].tracing.title == contents.case.tracing.title
    rows = read_results(run / PLACE / "results.json")["rows"]
    (probe,) = [
        row
        for row in rows
        if (row["class"], row["metric"], row["method"], row["group"]) == ("macro_ge10", "auroc", "plain", "all")
    ]
    told = capsys.readouterr().out
    assert f"Probe on `main`: macro AUROC {probe['value']:.3f} [" in told and "Random weights reach" in told
    assert f"macro AUROC {probe['value']:.3f} [" in page and page.index("Random weights reach") < page.index("<h2")


def test_neighbours_heart_rate_and_names_of_classes_are_those_of_the_store(evaluated):
    run, store = evaluated
    contents, corpus = read_contents(run / PLACE), open_corpus((str(store),))
    ids = corpus.column("record_id").astype(str)
    assert len(contents.case.recordings.found) == 5
    for near in contents.case.recordings.found:
        (line,) = np.flatnonzero(ids == near.name)
        assert near.excerpt.leads == ("II", "V1", "V5") and near.excerpt.rate == 50
        np.testing.assert_array_equal(near.excerpt.signal_uv, corpus.read(np.array([line]))[0][[1, 6, 10]])
        assert near.report == corpus.texts[corpus.text_id[line]]
    assert contents.class_names == {"findings": {c.code: c.name for c in corpus.classes("findings")}}
    (line,) = np.flatnonzero(ids == contents.case.record_id)
    signal, mask = corpus.read(np.array([line])), corpus.lead_mask[[line]]
    (beats,) = heart_rates(signal, mask, np.array([signal.shape[2]], np.int32), 50)
    assert contents.case.heart_rate == pytest.approx(beats) and 30 < beats < 240


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        (3, r"\(fold 3\) is not among the \d+ records scored on the validation split of synthetic; give one of them"),
        (None, r'the store has no record "quokka"; give one of the \d+ records scored on the validation split'),
    ],
)
def test_a_record_that_is_not_scored_is_refused_before_any_work(copied, monkeypatch, fold, words):
    run, store = copied
    corpus = open_corpus((str(store),))
    record = "quokka" if fold is None else str(corpus.column("record_id")[corpus.fold == fold][0])
    monkeypatch.setattr("cgdmer_jax.evaluation.evaluate.score_clean", None)  # whoever comes as far fails otherwise
    before = {path: path.read_bytes() for path in (run / PLACE).iterdir()}
    with pytest.raises(CgdmerError, match=words):
        evaluate(run, str(store), "validation", **ASKED, case=record)
    assert {path: path.read_bytes() for path in (run / PLACE).iterdir()} == before


def test_a_case_of_protocol_merl_is_refused(tmp_path):
    asked = ASKED | {"protocol": "merl", "tables": tmp_path, "case": "1"}
    with pytest.raises(CgdmerError, match="--case: the report of protocol merl has no patient's page; leave it out"):
        evaluate(tmp_path / "run", "store", "validation", **asked)
    asked = asked | {"case": None, "waves": "models/waves"}
    with pytest.raises(CgdmerError, match="--waves: the report of protocol merl has no patient's page; leave it out"):
        evaluate(tmp_path / "run", "store", "validation", **asked)


class Loud(UNetDelineator):
    """Whatever is beyond 0.3 mV is a QRS complex."""

    def wave_logits(self, variables, batch):
        loud = jnp.abs(batch.signal) > 300
        return jnp.stack([~loud, jnp.zeros_like(loud), loud, jnp.zeros_like(loud)], axis=-1).astype(jnp.float32)


def test_waves_are_marked_on_the_page_by_the_model_that_was_asked_for(copied, monkeypatch):
    run, store = copied
    trained, asked = load_run(run, None), []
    model = Model("loud", {}, Loud(50.0), Variables({}, {}), trained.contract, trained.tokenizer, 1, None)

    def opened(name, corpus):
        asked.append((name, str(corpus.stores[0].path)))
        return WaveModel(model, "loudness")

    monkeypatch.setattr("cgdmer_jax.evaluation.evaluate.open_wave_model", opened)
    evaluate(run, str(store), "validation", **ASKED, waves="models/waves")
    case, page = read_contents(run / PLACE).case, (run / PLACE / "report.html").read_text()
    assert asked == [("models/waves", str(store))] and case.origin["Waves marked by"] == "loudness"
    loud = 2 * (np.abs(case.tracing.signal_uv.astype(int)) > 300)
    expected = waves_by_lead(loud, case.tracing.lead_mask, 50.0)
    assert any(expected.values()) and case.waves == {lead: tuple(waves) for lead, waves in expected.items()}
    assert "found by a model:" in page and "no expert has looked at them" in page
