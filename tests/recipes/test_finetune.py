"""Fine-tuning as a user starts it: trained, killed, scored, exported and used, with a plain encoder, which is fast."""

import json
import shutil
import signal

import jax
import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

import cgdmer_jax
from cgdmer_jax.commands import export_model, finetune
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.label_fractions import FRACTIONS
from cgdmer_jax.evaluation.subject import clean_records
from cgdmer_jax.metrics.results import read_results
from cgdmer_jax.metrics.stratify import stratified_draw
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes.labelled import labelled_lines
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.small_stores import TASK, write_store
from tests.evaluation.plain import plain_config, plain_known
from tests.finetune_runs import finetune_words, run_finetune, run_killed
from tests.small_runs import ROOT, curve, hashes, make_store, start_module

STEPS = 12


@pytest.fixture(scope="module", autouse=True)
def known():
    with plain_known():
        yield


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("finetune")


@pytest.fixture(scope="module")
def store(folder):
    return make_store(folder / "store", 300)


@pytest.fixture(scope="module")
def pretrained(folder, store):
    assert pretrain(plain_config(str(store)), folder / "pretrained") == 0
    return folder / "pretrained"


def words(pretrained, store, workdir, *more):
    every = "--config.run.validate_every=4"
    return finetune_words(pretrained, store, workdir, every, *more, steps=STEPS, learning_rate=0.05)


@pytest.fixture(scope="module")
def finetuned(folder, store, pretrained):
    run_finetune(words(pretrained, store, folder / "run"))
    return folder / "run"


def encoder_of(run, step=None):
    found = load_run(run, step).variables.params
    return np.asarray(found.get("encoder", found)["lead"]["kernel"])


def rows_of(run):
    (found,) = run.glob("evaluation/*/*/finetune/results.json")
    return read_results(found)["rows"], found.parent


def test_it_starts_from_the_encoders_weights_and_learns(finetuned, pretrained):
    assert encoder_of(finetuned, 0).tobytes() == encoder_of(pretrained).tobytes()
    assert not np.array_equal(encoder_of(finetuned, STEPS), encoder_of(pretrained))
    found = read_metrics(finetuned / "metrics.jsonl")
    losses = [one["validation_loss"] for one in found if "validation_loss" in one]
    assert len(losses) == STEPS // 4 and losses[-1] < losses[0]
    assert all(0 <= one["validation_macro_auroc"] <= 1 for one in found if "validation_loss" in one)


def test_killed_at_any_point_the_same_command_ends_with_the_same_bits(finetuned, folder, store, pretrained):
    workdir = folder / "killed"
    run_killed(words(pretrained, store, workdir), (f"line:2:{signal.SIGKILL:d}", f"manifest:3:{signal.SIGKILL:d}"))
    assert curve(workdir) == curve(finetuned)
    assert hashes(workdir, STEPS) == hashes(finetuned, STEPS)
    ours, theirs = (json.loads((one / "head.json").read_text())["head"] for one in (workdir, finetuned))
    assert ours == theirs


def test_a_run_goes_on_without_the_encoder_it_was_made_from(folder, store, pretrained, finetuned, tmp_path):
    moved = shutil.copytree(finetuned, tmp_path / "run")
    gone = shutil.copytree(pretrained, tmp_path / "encoder")
    first = words(gone, store, tmp_path / "other", "--config.optimizer.steps=4")
    assert finetune.main(first) == 0
    shutil.rmtree(gone)
    assert finetune.main(first) == 0
    assert finetune.main(words(pretrained, store, moved)) == 0  # finished: it is scored again
    assert curve(moved) == curve(finetuned)


def test_with_the_head_alone_the_encoder_keeps_every_bit(folder, store, pretrained, tmp_path):
    assert finetune.main(words(pretrained, store, tmp_path, "--config.method.encoder_lr_multiplier=0.0")) == 0
    assert encoder_of(tmp_path).tobytes() == encoder_of(pretrained).tobytes()
    average = load_run(tmp_path, None).variables.state["average"]
    assert np.asarray(average["encoder"]["lead"]["kernel"]).tobytes() == encoder_of(pretrained).tobytes()
    assert {row["variant"] for row in rows_of(tmp_path)[0]} == {"pretrained_head"}


def test_from_scratch_it_is_the_same_architecture_with_other_weights_and_has_seen_this_store_alone(
    finetuned, store, pretrained, tmp_path
):
    assert finetune.main(words(pretrained, store, tmp_path, "--init=scratch", "--config.data.label_fraction=0.1")) == 0
    scratch, trained = load_run(tmp_path, None), load_run(finetuned, None)
    shapes = [jax.tree.map(np.shape, one.variables) for one in (scratch, trained)]
    assert shapes[0] == shapes[1]
    first = read_metrics(tmp_path / "metrics.jsonl")[0]["loss"]
    assert first != read_metrics(finetuned / "metrics.jsonl")[0]["loss"]
    assert [part.fingerprint for part in scratch.contract.trained_on] == [open_corpus((str(store),)).fingerprint]
    rows, _ = rows_of(tmp_path)
    assert {(row["variant"], row["label_fraction"]) for row in rows} == {("scratch", 0.1)}


def test_its_rows_can_be_computed_again_from_its_predictions(finetuned):
    rows, out = rows_of(finetuned)
    assert {(r["evaluation"], r["method"], r["feature"], r["variant"], r["supervision"]) for r in rows} == {
        ("finetune", "plain", "main", "pretrained", "labels")
    }
    saved = np.load(out / "predictions.npz")
    scores, labels = saved["findings/finetune/plain/main/pretrained"], saved["findings/labels"]
    head = json.loads((finetuned / "head.json").read_text())["head"]
    assert list(saved["findings/classes"]) == head["codes"]
    value = {(row["class"], row["metric"]): row for row in rows}
    for k, (code, threshold) in enumerate(zip(head["codes"], head["thresholds"], strict=True)):
        own, found = labels[:, k], scores[:, k]
        if 0 < own.sum() < len(own):
            assert value[code, "auroc"]["value"] == pytest.approx(roc_auc_score(own, found), abs=1e-4)
            assert value[code, "brier"]["value"] == pytest.approx(np.mean((found - own) ** 2), abs=1e-5)
        if threshold is not None:
            for metric, kept in (("sensitivity", own), ("specificity", ~own)):
                share = np.mean((found[kept] >= threshold) == own[kept]) if kept.any() else None
                assert value[code, metric]["value"] == (share and pytest.approx(share, abs=0.03))
    assert str(finetuned.parent) not in (out / "results.json").read_text()  # results travel
    macro = value["macro_ge10", "auroc"]
    assert macro["value"] is None or macro["low"] < macro["value"] < macro["high"]


def test_calibration_and_thresholds_come_from_the_records_it_was_chosen_on(finetuned, store):
    """Against scikit-learn-free arithmetic: the F1 of every threshold that those records allow."""
    trained, head = load_run(finetuned, None), json.loads((finetuned / "head.json").read_text())["head"]
    corpus = open_corpus((str(store),))
    lines = labelled_lines(corpus, "findings", "test", 1.0, 0).choose
    assert set(corpus.fold[lines]) == {9} and head["n_chosen_on"] == len(lines)
    batch = _batch_of(trained, corpus, lines)
    logits = np.asarray(jax.jit(trained.method.embed_ecg)(trained.variables, batch)["logits"], np.float64)
    labels = corpus.labels("findings")[lines]
    for k, threshold in enumerate(head["thresholds"]):
        p = expit(head["slopes"][k] * logits[:, k] + head["offsets"][k])
        if not labels[:, k].any():
            assert threshold is None
            continue

        def f1(at, p=p, own=labels[:, k]):
            return 2 * (own & (p >= at)).sum() / (own.sum() + (p >= at).sum())

        assert f1(threshold - 1e-6) == pytest.approx(max(map(f1, p)), abs=1e-9)


def _batch_of(trained, corpus, lines):
    from cgdmer_jax.recipes import build

    return build.blank_batch_of(len(lines), trained.contract, trained.config.data.max_tokens)._replace(
        signal=corpus.read(lines), lead_mask=corpus.lead_mask[lines], length=corpus.length[lines]
    )


def test_the_exported_model_predicts_what_was_scored(finetuned, store, folder):
    assert export_model.main([f"--run={finetuned}", f"--out={folder / 'model'}"]) == 0
    encoder, corpus = cgdmer_jax.load(folder / "model"), open_corpus((str(store),))
    saved = np.load(rows_of(finetuned)[1] / "predictions.npz")
    line_of = {str(name): line for line, name in enumerate(corpus.column("record_id"))}
    lines = np.array([line_of[name] for name in saved["findings/record_id"][:9]])
    signals = [
        one[:, :length].astype(np.float32) for one, length in zip(corpus.read(lines), corpus.length[lines], strict=True)
    ]
    found = encoder.predict(signals, corpus.rate, LEADS, "uV")
    assert list(found) == list(encoder.classes) == list(encoder.thresholds) == list(saved["findings/classes"])
    expected = saved["findings/finetune/plain/main/pretrained"][:9]
    np.testing.assert_allclose(np.stack([*found.values()], axis=1), expected, atol=1e-5)
    one = encoder.predict(signals[4], corpus.rate, LEADS, "uV")
    assert one == pytest.approx({code: float(p[4]) for code, p in found.items()}, abs=1e-6)
    assert all(isinstance(p, float) for p in one.values())
    card = (folder / "model/README.md").read_text()
    assert "encoder.predict(" in card and "zero_shot(" not in card and "finetune, main, pretrained" in card
    assert str(folder) not in (folder / "model/config.json").read_text()


def test_a_model_that_was_not_fine_tuned_says_so_and_one_can_start_from_it(pretrained, store, tmp_path):
    assert export_model.main([f"--run={pretrained}", f"--out={tmp_path / 'model'}"]) == 0
    encoder = cgdmer_jax.load(tmp_path / "model")
    assert encoder.classes == {} and encoder.thresholds == {}
    with pytest.raises(CgdmerError, match=r"predicts no classes; fit it to labels"):
        encoder.predict(np.zeros((12, 500), np.float32), 50, LEADS, "mV")
    first, *others = words(pretrained, store, tmp_path / "run", "--config.optimizer.steps=2")
    assert finetune.main([first.replace(f"--run={pretrained}", f"--model={tmp_path / 'model'}"), *others]) == 0
    assert encoder_of(tmp_path / "run", 0).tobytes() == encoder_of(pretrained).tobytes()


def test_a_share_of_the_labels_is_that_of_the_probe_of_the_same_seed(store):
    corpus = open_corpus((str(store),))
    records = clean_records(corpus, "test")
    (task,) = (one for one in records.tasks if one.name == "findings")
    patients = corpus.patient_id[records.lines]
    for fraction in FRACTIONS:
        drawn = stratified_draw(task.labels[task.fit], patients[task.fit], fraction, 3)
        found = labelled_lines(corpus, "findings", "test", fraction, 3)
        np.testing.assert_array_equal(found.fit, records.lines[task.fit[drawn]])
        np.testing.assert_array_equal(found.choose, records.lines[task.choose])


def test_it_ends_when_the_validation_loss_falls_no_more_and_ends_there_again(pretrained, store, tmp_path):
    more = ("--config.optimizer.learning_rate=0.0", "--config.method.patience=2", "--config.optimizer.steps=90")
    asked = words(pretrained, store, tmp_path, *more, "--config.run.keep_last=1")
    assert finetune.main(asked) == 0
    steps = [one["step"] for one in read_metrics(tmp_path / "metrics.jsonl") if "validation_loss" in one]
    assert steps == [4, 8, 12]  # the first is the lowest, and two more are no lower
    before = curve(tmp_path)
    assert finetune.main(asked) == 0
    assert curve(tmp_path) == before


def no_store(folder, pretrained, store):
    return words(pretrained, store, folder / "run", "--task=finding")


def no_labels(folder, pretrained, store):
    bare = write_store(folder / "bare", ["a"] * 30, rate=50.0, n_samples=500, codes=())
    return words(pretrained, bare, folder / "run")


def other_rate(folder, pretrained, store):
    return words(pretrained, write_store(folder / "hundred", ["a"] * 30), folder / "run", f"--task={TASK}")


def nothing_to_learn_from(folder, pretrained, store):
    late = write_store(folder / "late", ["a"] * 30, rate=50.0, n_samples=500, folds=[9 + row % 2 for row in range(30)])
    return words(pretrained, late, folder / "run", f"--task={TASK}")


def a_pretraining(folder, pretrained, store):
    return words(pretrained, store, shutil.copytree(pretrained, folder / "run"))


def too_large_a_shift(folder, pretrained, store):
    return words(pretrained, store, folder / "run", "--config.method.time_shift_seconds=11.0")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (no_store, r'store has no task "finding"\. Did you mean "findings"\?'),
        (no_labels, r"store .*bare has no labels to learn; convert its source with labels"),
        (other_rate, r"store .*hundred has rate 100\.0, the run was trained with 50\.0; convert the recordings again"),
        (nothing_to_learn_from, r'has no labelled record of task "findings" to learn from \(folds 1 to 8\)'),
        (a_pretraining, r"run is no run of fine-tuning; take another --workdir"),
        (too_large_a_shift, r"time_shift_seconds is 11, and a recording has 10 s; give at most that"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_input_is_one_sentence_and_leaves_no_run(asked, sentence, pretrained, store, tmp_path):
    with pytest.raises(CgdmerError, match=sentence) as caught:
        finetune.main(asked(tmp_path, pretrained, store))
    assert "\n" not in str(caught.value)
    assert asked is a_pretraining or not (tmp_path / "run").exists()


def test_its_step_is_compiled_for_a_stated_mesh_without_a_run(folder, store, pretrained, tmp_path):
    asked = words(pretrained, store, tmp_path / "run", "--dry_run=2x2")
    process = start_module("tests.killed_finetune", asked)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert "compiled for 2 x 2 (data x fsdp) fake CPU devices" in said
    assert "variables/params/encoder/lead/kernel" in said and not (tmp_path / "run").exists()


def test_a_fine_tuned_run_is_no_encoder_to_start_from(finetuned, store, tmp_path):
    with pytest.raises(CgdmerError, match="was fine-tuned itself; give the pretrained run or model"):
        finetune.main(words(finetuned, store, tmp_path / "run"))
    with pytest.raises(CgdmerError, match=r"head\.json belongs to step \d+, not to step 2; leave --checkpoint out"):
        export_model.main([f"--run={finetuned}", "--checkpoint=2", f"--out={tmp_path / 'model'}"])
