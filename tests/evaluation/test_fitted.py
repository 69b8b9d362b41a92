"""Labels of one's own on a pretrained encoder: from a folder and a table to figures and a model that predicts."""

import csv
import dataclasses
import io
import json
import shutil
from contextlib import redirect_stdout
from itertools import product

import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import cgdmer_jax
from cgdmer_jax.batch import blank_batch
from cgdmer_jax.commands import fit, predict
from cgdmer_jax.data.text.special_tokens import full_stop_id
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import save_model
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.report.fitted import fitted_page
from cgdmer_jax.waveform.conditioning import LEADS
from tests.interop.small_model import small_model, write_small_model
from tests.methods import cmelt_small, kmerl_small, merl_small

N, RATE = 40, 100
WRONG = (4, 11, 22, 29)  # labelled as what they are not
COLUMNS = "--columns=record=file,patient=patient,labels:finding=FAST+RARE"
ABOUT = {"rate": RATE, "leads": LEADS, "unit": "mV"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def signals_mv():
    """[record, lead, time]: the odd ones beat twice as fast."""
    rng, time = np.random.default_rng(0), np.arange(10 * RATE) / RATE
    beat = (1 + np.arange(N) % 2)[:, None] * 2 * np.pi * time + rng.uniform(0, 6, (N, 1))
    gain = rng.uniform(0.5, 1.5, (N, 12, 1))
    return (gain * np.sin(beat)[:, None] + 0.02 * rng.normal(size=(N, 12, len(time)))).astype(np.float32)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory, signals_mv):
    folder = tmp_path_factory.mktemp("hospital")
    for number, signal in enumerate(signals_mv):
        np.save(folder / f"r{number}.npy", signal)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "patient", "FAST", "RARE"])
        writer.writerows([f"r{n}", f"p{n // 2}", (n % 2) ^ (n in WRONG), int(n == 7)] for n in range(N))
    return folder


def words(model, hospital, out, *more):
    about = [f"--recording_rate={RATE}", f"--leads={','.join(LEADS)}", "--unit=mV"]
    return [
        f"--model={model}",
        f"--records={hospital}",
        f"--labels={hospital / 'labels.csv'}",
        f"--out={out}",
        *about,
        *more,
    ]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, model, hospital):
    out = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as said:
        patch.chdir(
            tmp_path_factory.mktemp("work")
        )  # a store may lie outside of the folder that the command is given in
        assert fit.main(words(model, hospital, f"../{out.name}", COLUMNS)) == 0
    (out / "said").write_text(said.getvalue())
    return out


def rows_of_all_draws(fitted):
    rows = json.loads((fitted / "results.json").read_text())["rows"]
    return {(row["class"], row["metric"]): row for row in rows if row["variant"] is None}


def test_the_figures_are_those_of_scores_from_other_patients(fitted):
    rows = rows_of_all_draws(fitted)
    made = np.load(fitted / "predictions.npz")
    assert made["class"].tolist() == ["FAST", "RARE"] and len(made["record_id"]) == N
    assert made["probability"].shape == (5, N, 2)
    for fold, patient in product(made["fold"], set(made["patient_id"])):
        assert len(set(fold[made["patient_id"] == patient])) == 1
    of_draws = [roc_auc_score(made["label"][:, 0], one[:, 0]) for one in made["probability"]]
    expected = np.mean(of_draws)
    assert rows["FAST", "auroc"]["value"] == pytest.approx(expected, abs=1e-6)
    assert 0.7 < expected < 1 and rows["FAST", "auroc"]["low"] < expected < rows["FAST", "auroc"]["high"]
    assert (
        rows["FAST", "auroc"]["n_seeds"] == 5
        and rows["FAST", "sensitivity"]["value"] > 0.6
        and rows["RARE", "auroc"]["n_positive"] == 1
    )


def test_the_figures_of_single_draws_of_the_folds_stand_beside_their_mean(fitted):
    document, made = json.loads((fitted / "results.json").read_text()), np.load(fitted / "predictions.npz")
    assert len({fold.tobytes() for fold in made["fold"]}) == 5
    assert (document["origin"]["folds"], document["origin"]["draws_of_folds"]) == (5, 5)
    rows = {row["variant"]: row for row in document["rows"] if (row["class"], row["metric"]) == ("FAST", "auroc")}
    of_draws = [round(roc_auc_score(made["label"][:, 0], one[:, 0]), 6) for one in made["probability"]]
    for number, expected in enumerate(of_draws, start=1):
        assert rows[f"draw_{number}"]["value"] == pytest.approx(expected, abs=1e-6)
    spread = f"{min(of_draws):.3f} to {max(of_draws):.3f}"
    assert f"({spread} in single draws of the folds), 20 of 40 positive" in (fitted / "said").read_text()
    page = (fitted / "report.html").read_text()
    assert f">{spread}<" in page and "put into 5 folds 5 times" in page


def test_nothing_is_said_of_reports_and_splits_which_a_fit_does_not_read(fitted):
    said = (fitted / "said").read_text()
    assert "40 records in 40 rows, 0 rejected" in said and "left out" not in said
    assert all(word not in said for word in ("text", "split", "train", "tenth"))


def test_recordings_that_took_no_part_are_told_at_the_end(model, hospital, tmp_path, capsys):
    folder = tmp_path / "hospital"
    shutil.copytree(hospital, folder)
    (folder / "r3.npy").unlink()
    np.save(folder / "r8.npy", np.zeros((12, 1000), np.float32))
    assert fit.main(words(model, folder, tmp_path / "out", COLUMNS)) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    rejected = tmp_path / "out/store/rejected.csv"
    assert last.startswith("left out: 2 of the recordings in the table (r3, r8), 1 of them missing or unreadable; ")
    assert last.endswith(f"{rejected} says why") and "r3" in rejected.read_text()
    assert "2 recordings of the table could not be used" in (tmp_path / "out/report.html").read_text()


def test_many_missing_recordings_stop_a_fit_that_does_not_ask_for_it(model, hospital, tmp_path, capsys):
    folder = tmp_path / "hospital"
    shutil.copytree(hospital, folder)
    for number in range(0, 40, 3):
        (folder / f"r{number}.npy").unlink()
    asked = words(model, folder, tmp_path / "out", COLUMNS)
    with pytest.raises(CgdmerError, match="--partial"):
        fit.main(asked)
    assert not (tmp_path / "out/model").exists()
    assert fit.main([*asked, "--partial", "--folds=4"]) == 0
    assert "left out: 14 of the recordings in the table" in capsys.readouterr().out


def test_a_class_of_one_patient_has_neither_figure_nor_threshold(fitted):
    """Its only positive was scored by a probe that knew none, below all others: the threshold would find everyone."""
    rows = rows_of_all_draws(fitted)
    assert all(rows["RARE", metric]["value"] is None for metric in ("auroc", "auprc", "brier"))
    said = (fitted / "said").read_text()
    assert "RARE: AUROC n/a, 1 of 40 positive; too few for a figure" in said and "positives: AUROC 0." in said
    assert "of 40 positive" in said.split("FAST: ")[1] and "macro" not in said
    assert ("RARE", "sensitivity") not in rows and cgdmer_jax.load(fitted / "model").thresholds["RARE"] is None


def test_the_card_does_not_call_the_collection_that_the_head_learned_from_another_one(fitted):
    assert "how it transfers is not measured" in (fitted / "model" / "README.md").read_text()


def test_the_model_predicts_new_recordings_from_files_of_its_own(fitted, signals_mv):
    encoder = cgdmer_jax.load(fitted / "model")
    assert list(encoder.classes) == ["FAST", "RARE"] and 0 < encoder.thresholds["FAST"] < 1
    probability = encoder.predict(signals_mv, **ABOUT)
    found = probability["FAST"] >= encoder.thresholds["FAST"]
    assert (found == (np.arange(N) % 2 == 1)).mean() > 0.8
    one = encoder.predict(signals_mv[0], **ABOUT)
    assert one["FAST"] == pytest.approx(float(probability["FAST"][0]), abs=1e-5)
    card = (fitted / "model" / "README.md").read_text()
    assert "cross-validated by patient, 5 draws of folds" in card and "| FAST |" in card


def test_the_encoder_in_it_is_the_one_that_was_given(fitted, model, signals_mv):
    before, after = cgdmer_jax.load(model), cgdmer_jax.load(fitted / "model")
    np.testing.assert_array_equal(after.embed(signals_mv[:3], **ABOUT), before.embed(signals_mv[:3], **ABOUT))


def test_a_folder_of_recordings_becomes_a_table_of_probabilities(fitted, hospital, signals_mv, tmp_path, capsys):
    out = tmp_path / "p.csv"
    about = [f"--recording_rate={RATE}", f"--leads={','.join(LEADS)}", "--unit=mV"]
    assert predict.main([f"--model={fitted / 'model'}", f"--records={hospital}", f"--out={out}", *about]) == 0
    with out.open(newline="") as file:
        lines = {line["record"]: line for line in csv.DictReader(file)}
    encoder = cgdmer_jax.load(fitted / "model")
    said = capsys.readouterr().out
    assert f"{out}: a line for each of {N} records; 0 left out" in said and "logits" not in said
    assert "columns FAST, RARE: probability of each, 0 to 1 (not calibrated: RARE)" in said
    assert f"(FAST {encoder.thresholds['FAST']:.3f}, RARE none)" in said
    expected = encoder.predict(signals_mv, **ABOUT)["FAST"]
    assert len(lines) == N and [*tmp_path.iterdir()] == [out]
    for number, value in enumerate(expected):
        line = lines[f"r{number}.npy"]
        assert float(line["FAST"]) == pytest.approx(float(value), abs=2e-4)
        assert ("FAST" in line["found"].split(";")) == (value >= encoder.thresholds["FAST"])


def test_an_encoder_without_classes_predicts_nothing(model, hospital, tmp_path):
    with pytest.raises(CgdmerError, match="predicts no classes; give a model folder"):
        predict.main([f"--model={model}", f"--records={hospital}", f"--out={tmp_path / 'p.csv'}"])


def test_the_page_shows_each_class_with_its_threshold(fitted):
    page = (fitted / "report.html").read_text()
    for said in ("FAST", "RARE", "40 recordings of 20 patients", "Sensitivity"):
        assert said in page


def test_patients_stand_in_the_model_by_number_alone_or_under_a_key(fitted, model, hospital, tmp_path):
    own, before = json.loads((fitted / "model" / "input.json").read_text())["trained_on"]
    assert (own["name"], own["n_patients"], len(own["signal_sha256"])) == ("labels", 20, N)
    assert not any(part["patient_sha256"] or part["patient_hmac_sha256"] for part in (own, before))
    (tmp_path / "key").write_bytes(b"k" * 16)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "store").symlink_to(fitted / "store")
    more = [COLUMNS, f"--patient_key={tmp_path / 'key'}"]
    assert fit.main(words(model, hospital, tmp_path / "again", *more)) == 0
    keyed = cgdmer_jax.load(tmp_path / "again" / "model")
    assert keyed.was_trained_on_patient(["labels:p0", "labels:p99"], b"k" * 16).tolist() == [True, False]


def test_the_page_says_when_no_column_names_patients_and_when_pretraining_has_seen_the_recordings(fitted):
    rows, origin = (json.loads((fitted / "results.json").read_text())[name] for name in ("rows", "origin"))
    assert (origin["patients_named"], origin["seen_in_pretraining"]) == (True, 0)

    def page(**facts):
        return fitted_page(rows, {"FAST": "fast", "RARE": "rare"}, [0.5, None], "fit", origin | facts)

    assert "no recording of its patient" in page() and "stands for one" not in page() and "pretrained on" not in page()
    unnamed = page(patients_named=False, seen_in_pretraining=7)
    assert "each recording stands for one" in unnamed and "pretrained on 7 of these" in unnamed
    assert "of 20 patients" not in unnamed


BERT = merl_small.BERT | {"vocabulary": small_model()["tokenizer"].get_vocab_size(), "max_tokens": 16}
OTHERS = {
    "merl": dataclasses.replace(merl_small.CONFIG, text_architecture=BERT),
    "cmelt": cmelt_small.CONFIG,
    "kmerl": kmerl_small.CONFIG,
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_model_of_another_method_is_fitted_too(name, fitted, hospital, signals_mv, tmp_path):
    cgdmer, fields = small_model(), dataclasses.asdict(OTHERS[name])
    contract, tokenizer = cgdmer["contract"], cgdmer["tokenizer"]
    method = make_method(
        name,
        fields,
        n_leads=12,
        n_samples=contract.samples,
        rate=contract.rate,
        vocabulary=tokenizer.get_vocab_size(),
        max_tokens=16,
        full_stop=full_stop_id(tokenizer),
    )
    batch = blank_batch(2, n_leads=12, n_samples=contract.samples, n_tokens=16)
    made = {"variables": jax.jit(method.init)(jax.random.key(0), batch), "method_name": name, "method_fields": fields}
    save_model(tmp_path / "model", **cgdmer | made)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "store").symlink_to(fitted / "store")
    assert fit.main(words(tmp_path / "model", hospital, tmp_path / "out", COLUMNS)) == 0
    assert rows_of_all_draws(tmp_path / "out")["FAST", "auroc"]["method"] == name
    assert 0 < cgdmer_jax.load(tmp_path / "out" / "model").predict(signals_mv[0], **ABOUT)["FAST"] < 1


def test_a_store_that_is_there_is_taken_and_a_model_that_is_there_is_kept(fitted, model, hospital, tmp_path):
    with pytest.raises(CgdmerError, match=r"is finished: its model is .*model, its page .*report.html; to fit again"):
        fit.main(words(model, hospital, fitted, COLUMNS))
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "store").symlink_to(fitted / "store")
    assert fit.main(words(model, hospital, tmp_path / "again", COLUMNS)) == 0
    rows = [json.loads((out / "results.json").read_text())["rows"] for out in (fitted, tmp_path / "again")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--columns=record=file,patient=patient"], "--columns names no labels"),
        (["--columns=record=file,labels:a=FAST,labels:b=RARE"], "names the tasks a, b; say which"),
        (["--columns=record=file,labels:a=FAST,labels:b=RARE", "--task=c"], '--task is "c"'),
        ([COLUMNS, "--folds=2"], "--folds=2 is too few.*give 3 or more"),
        ([COLUMNS, "--folds=30"], "20 patients are too few for 30 folds of two or more"),
        ([COLUMNS, "--folds=11"], "20 patients are too few for 11 folds"),
        (["--columns=record=file,patient=patient,labels:finding=SLOW"], "SLOW"),
        (["--columns=record=file,patient=patient,labels:finding=RARE"], 'no class of task "finding" can be learned'),
    ],
)
def test_a_mistake_gets_one_sentence(model, hospital, tmp_path, more, sentence):
    with pytest.raises(CgdmerError, match=sentence):
        fit.main(words(model, hospital, tmp_path / "out", *more))
    assert not (tmp_path / "out" / "model").exists()
