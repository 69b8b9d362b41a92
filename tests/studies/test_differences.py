"""Paired differences of fine-tuned models, probes and floors, by hand with scikit-learn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.commands.differences import main
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.bootstrap import N_RESAMPLES, patient_weights, seed_of_resample
from cgdmer_jax.metrics.results import Setting, rows_for_scores, write_results
from cgdmer_jax.metrics.score_key import key_of
from cgdmer_jax.npz_file import write_arrays

N, CLASSES = 120, ("A", "B", "RARE")
RECORDS = np.array([f"r{i}" for i in range(N)])
PATIENTS = np.array([f"p{i // 2}" for i in range(N)])
LABELS = np.random.default_rng(0).random((N, 3)) < np.array([0.5, 0.3, 0.02])
WEIGHTS = patient_weights(PATIENTS, N_RESAMPLES, seed=0)
PROBE = Setting("ptbxl", "test", "cgdmer", "nano", "main", 8, "probe", "super", "in", "labels", False)
FLOOR = replace(PROBE, method="random_convolutions", feature="ridge")
TUNED = replace(PROBE, evaluation="finetune", variant="pretrained", run="tuned")
SCRATCH = replace(TUNED, variant="scratch")
NAMES = {FLOOR: "probe/random_convolutions/ridge", SCRATCH: "finetune/cgdmer/main/scratch"}


def scores(skill, seed):
    return np.random.default_rng([3, seed]).random(LABELS.shape) + skill * LABELS


def auroc(one, weights=None):
    return np.mean([roc_auc_score(LABELS[:, k], one[:, k], sample_weight=weights) for k in (0, 1)])


@pytest.fixture
def leave(tmp_path):
    def evaluation(name, of_settings, records=RECORDS, store="a", defined=None):
        folder, rows = tmp_path / name, []
        arrays = {"super/labels": LABELS, "super/record_id": records, "super/patient_id": PATIENTS}
        arrays["super/classes"] = np.array(CLASSES)
        folder.mkdir()
        for setting, draws in of_settings.items():
            made = rows_for_scores(
                setting, draws, LABELS, CLASSES, probabilities=False, defined=defined, weights=WEIGHTS
            ).rows
            rows += made
            arrays[key_of(made[0]).text()] = draws[0] if len(draws) == 1 else np.stack(draws)
        write_results(folder / "results.json", "a command", rows, {"run": name, "store": store})
        write_arrays(folder / "predictions.npz", arrays, compress=True)
        return str(folder)

    return evaluation


@pytest.fixture
def call(tmp_path, capsys):
    def run(folders, *references):
        out = tmp_path / "differences.json"
        to = ["--to", *references] if references else []
        assert main(["--results", *folders, *to, f"--out={out}"]) == 0
        return json.loads(out.read_text())["rows"], capsys.readouterr().out

    return run


def test_a_fine_tuned_model_is_compared_with_the_floor_and_its_control_on_the_same_patients(leave, call):
    made = {PROBE: scores(0.3, 0), FLOOR: scores(0.4, 1), TUNED: scores(0.9, 2), SCRATCH: scores(0.2, 3)}
    folders = [leave(str(i), {s: [one]}) for i, (s, one) in enumerate(made.items())]
    rows, said = call(folders, *NAMES.values())
    assert [row["name"] for row in rows][:2] == ["finetune/cgdmer/main/pretrained", "finetune/cgdmer/main/scratch"]
    for other, less in zip(NAMES, rows[0]["differences"], strict=True):
        drawn = [auroc(made[TUNED], w) - auroc(made[other], w) for w in WEIGHTS]
        assert less["reference"] == NAMES[other]
        assert less["value"] == pytest.approx(auroc(made[TUNED]) - auroc(made[other]), abs=2e-6)
        assert (less["low"], less["high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=2e-6)
    assert [one["reference"] for one in rows[1]["differences"]] == [NAMES[FLOOR]]  # not with itself
    assert f"| {rows[0]['value']:.3f} [" in said and f"{rows[0]['differences'][0]['value']:+.3f} [" in said


def test_shares_of_the_labels_are_compared_apart_and_a_resample_takes_one_of_several_draws(leave, call):
    tenth = {PROBE: [scores(0.3, 0), scores(0.3, 1)], TUNED: [scores(0.9, 2)]}
    tenth[PROBE][1][:, 1] = 0.0  # not learned: chance
    folder = leave("one", {replace(s, label_fraction=0.1): d for s, d in tenth.items()} | {PROBE: [scores(0.8, 4)]})
    rows, _ = call([folder], "probe/cgdmer/main")
    (less,) = next(row["differences"] for row in rows if row["evaluation"] == "finetune")
    mine, theirs = tenth[TUNED][0], tenth[PROBE]
    drawn = [
        auroc(mine, w) - auroc(theirs[draw], w)
        for w, draw in zip(WEIGHTS, seed_of_resample(2, N_RESAMPLES, 0), strict=True)
    ]
    assert less["value"] == pytest.approx(auroc(mine) - np.mean([auroc(one) for one in theirs]), abs=2e-6)
    assert (less["low"], less["high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=2e-6)
    assert next(row["differences"] for row in rows if row["label_fraction"] == 1) == []


def test_means_of_different_classes_have_no_difference(leave, call):
    """A network scores a class that it had no positive of like any other; its evaluation leaves it out."""
    folders = [leave("a", {FLOOR: [scores(0.4, 1)]}), leave("b", {TUNED: [scores(0.3, 0)]}, defined=np.arange(3) != 1)]
    rows, said = call(folders)
    (less,) = rows[0]["differences"]
    assert less["value"] is less["low"] is less["high"] is None and "| n/a |" in said


def test_a_mean_of_no_class_has_no_difference(leave, call):
    none = np.zeros(3, bool)
    folders = [leave("a", {FLOOR: [scores(0.4, 1)]}, defined=none), leave("b", {PROBE: [scores(0.3, 0)]}, defined=none)]
    rows, said = call(folders)
    assert [row["value"] for row in rows] == [None, None] and rows[0]["differences"][0]["value"] is None
    assert "| n/a | n/a |" in said


def test_runs_that_differ_in_nothing_else_are_told_apart_by_name(leave, call):
    other = replace(TUNED, run="slower")
    folders = [leave(str(i), {s: [scores(i / 2, i)]}) for i, s in enumerate((TUNED, other))]
    rows, _ = call(folders, "finetune/cgdmer/main/pretrained@tuned")
    assert [row["name"].rpartition("@")[2] for row in rows] == ["slower", "tuned"]
    assert rows[0]["differences"][0]["value"] > 0 and rows[1]["differences"] == []


@pytest.mark.parametrize(
    ("second", "store", "to", "sentence"),
    [
        (FLOOR, "a", NAMES[FLOOR], r"probe/random_convolutions/ridge@nano is in two of the folders"),
        (PROBE, "b", NAMES[FLOOR], "different stores or splits"),
        (replace(PROBE, split="validation"), "a", NAMES[FLOOR], "different stores or splits"),
        (PROBE, "a", "probe/hand36/hand36", "none of the folders has probe/hand36/hand36; they have probe/random"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_sentence(leave, call, second, store, to, sentence):
    folders = [leave("a", {FLOOR: [scores(0.4, 1)]}), leave("b", {second: [scores(0.3, 0)]}, store=store)]
    with pytest.raises(CgdmerError, match=sentence):
        call(folders, to)


def test_other_records_are_refused(leave, call):
    folders = [leave("a", {FLOOR: [scores(0.4, 1)]}), leave("b", {PROBE: [scores(0.3, 0)]}, records=RECORDS[::-1])]
    with pytest.raises(CgdmerError, match="b scores other records of task super than the folders before it"):
        call(folders)
