"""Paired differences of fine-tuned models, probes and floors, by hand with scikit-learn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cgdmer_jax.commands.differences import main
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.bootstrap import N_RESAMPLES, patient_weights
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
    def evaluation(name, of_settings, records=RECORDS, store="a"):
        folder, rows = tmp_path / name, []
        arrays = {"super/labels": LABELS, "super/record_id": records, "super/patient_id": PATIENTS}
        folder.mkdir()
        for setting, draws in of_settings.items():
            made = rows_for_scores(setting, draws, LABELS, CLASSES, probabilities=False, weights=WEIGHTS).rows
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


def test_shares_of_the_labels_are_compared_apart_and_an_unlearned_class_counts_as_chance(leave, call):
    tenth = {PROBE: [scores(0.3, 0), scores(0.3, 1)], TUNED: [scores(0.9, 2)]}
    tenth[PROBE][1][:, 1] = 0.0
    folder = leave("one", {replace(s, label_fraction=0.1): d for s, d in tenth.items()} | {PROBE: [scores(0.8, 4)]})
    rows, _ = call([folder], "probe/cgdmer/main")
    (less,) = next(row["differences"] for row in rows if row["evaluation"] == "finetune")
    mine, theirs = tenth[TUNED][0], tenth[PROBE]
    drawn = [auroc(mine, w) - np.mean([auroc(one, w) for one in theirs]) for w in WEIGHTS]
    assert less["value"] == pytest.approx(auroc(mine) - np.mean([auroc(one) for one in theirs]), abs=2e-6)
    assert (less["low"], less["high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=2e-6)
    assert next(row["differences"] for row in rows if row["label_fraction"] == 1) == []


def test_other_records_are_no_pairs(leave, call):
    folders = [leave("a", {FLOOR: [scores(0.4, 1)]}), leave("b", {PROBE: [scores(0.3, 0)]}, records=RECORDS[::-1])]
    rows, _ = call(folders)
    (less,) = next(row["differences"] for row in rows if row["method"] == "cgdmer")
    assert less["value"] is not None and less["low"] is less["high"] is None


@pytest.mark.parametrize(
    ("second", "store", "to", "sentence"),
    [
        (FLOOR, "a", NAMES[FLOOR], r"super/probe/random_convolutions/ridge is in two of the folders"),
        (PROBE, "b", NAMES[FLOOR], "different stores or splits"),
        (replace(PROBE, split="validation"), "a", NAMES[FLOOR], "different stores or splits"),
        (PROBE, "a", "probe/hand36/hand36", "none of the folders has probe/hand36/hand36; they have probe/random"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_sentence(leave, call, second, store, to, sentence):
    folders = [leave("a", {FLOOR: [scores(0.4, 1)]}), leave("b", {second: [scores(0.3, 0)]}, store=store)]
    with pytest.raises(CgdmerError, match=sentence):
        call(folders, to)
