"""Killed at any moment, the same command goes on and ends with the same bits."""

import os
import random
import signal
import time

import pytest

from tests.small_runs import curve, hashes, make_store, start_pretrain

STEPS = 24
MORE = (
    f"--config.optimizer.steps={STEPS}",
    "--config.run.log_every=1",
    "--config.run.validate_every=12",
    "--config.run.checkpoint_every=4",
)
PATIENCE = 300  # seconds for one start on a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def store(folder):
    return make_store(folder / "store")


@pytest.fixture(scope="module")
def uninterrupted(folder, store):
    process = start_pretrain(folder / "whole", store, folder / "cache", *MORE)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    return folder / "whole"


def wait_for_lines(process, workdir, n):
    """Until metrics.jsonl has n lines more than at the start, or the process has ended."""
    path, limit = workdir / "metrics.jsonl", time.monotonic() + PATIENCE
    before = path.read_bytes().count(b"\n") if path.exists() else 0
    while time.monotonic() < limit and process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") >= before + n:
            return
        time.sleep(0.01)


def test_three_kills_at_random_change_no_bit_of_curve_and_weights(folder, store, uninterrupted):
    workdir, chance = folder / "killed", random.Random(7)
    killed = 0
    for _ in range(3):
        process = start_pretrain(workdir, store, folder / "cache", *MORE)
        wait_for_lines(process, workdir, chance.randint(1, 6))
        time.sleep(chance.random() * 0.05)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed == 3
    process = start_pretrain(workdir, store, folder / "cache", *MORE)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert curve(workdir) == curve(uninterrupted)
    assert hashes(workdir, STEPS) == hashes(uninterrupted, STEPS)


def test_sigterm_saves_exits_75_and_the_same_command_goes_on(folder, store, uninterrupted):
    workdir = folder / "stopped"
    process = start_pretrain(workdir, store, folder / "cache", *MORE)
    wait_for_lines(process, workdir, 5)
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, output
    process = start_pretrain(workdir, store, folder / "cache", *MORE)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert curve(workdir) == curve(uninterrupted)
    assert hashes(workdir, STEPS) == hashes(uninterrupted, STEPS)


def test_a_run_folder_holds_what_the_design_lists(uninterrupted):
    names = {p.name for p in uninterrupted.iterdir() if not p.name.startswith(".")}
    assert names == {"config.json", "environment.json", "metrics.jsonl", "checkpoints", "tokenizer", "input.json"}


def test_another_config_is_refused_with_old_and_new_values(uninterrupted, store, folder):
    more = [word for word in MORE if "steps" not in word] + ["--config.optimizer.steps=30"]
    process = start_pretrain(uninterrupted, store, folder / "cache", *more)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "optimizer.steps: 24 -> 30" in output.splitlines()[-1]


def test_no_report_and_no_patient_is_in_what_a_run_prints_and_logs(uninterrupted):
    written = (uninterrupted / "metrics.jsonl").read_text() + (uninterrupted / "input.json").read_text()
    assert "rhythm" not in written and "synthetic:" not in written
