"""One config trained here and in PyTorch: the whole comparison, small."""

import json

import pytest

from cgdmer_jax.metrics_file import read_metrics
from tests.small_runs import SMALL, make_store, start_command

pytest.importorskip("torch")


def test_both_sides_learn_alike_and_a_second_start_does_nothing_again(tmp_path):
    store = make_store(tmp_path / "store", 300)  # ten positives of a class among those scored
    words = ["--config=configs/cgdmer.py:nano", f"--store={store}", "--seeds=3", *SMALL]
    words += ["--config.optimizer.steps=4", "--config.run.log_every=1"]
    words += [f"--workdir={tmp_path / 'runs'}", f"--out={tmp_path / 'out.json'}"]
    for start in range(2):
        process = start_command("compare_training", words)
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
        assert ("train_torch" in printed) == (start == 0)

    made = json.loads((tmp_path / "out.json").read_text())
    assert {run["metrics"]["validation"]["step"] for run in made["runs"]} == {4}
    ours, theirs = (
        [line["loss"] for line in read_metrics(tmp_path / f"runs/{side}-seed3/metrics.jsonl") if "loss" in line]
        for side in ("jax", "torch")
    )
    assert ours == pytest.approx(theirs, rel=1e-4) and len(set(ours)) == 4
    probe = [row for row in made["rows"] if row["evaluation"] == "probe" and row["row"] == "jax"]
    assert probe and all(row["low"] <= row["difference"] <= row["high"] for row in probe)
    assert max(abs(row["difference"]) for row in probe) < 0.01
