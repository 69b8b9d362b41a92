"""Killed at any moment, the same command goes on and ends with the same bits."""

import signal

import pytest

from cgdmer_jax.data.store.store import open_store
from tests.small_runs import curve, hashes, make_store, start_pretrain

STEPS = 40
MORE = (
    f"--config.optimizer.steps={STEPS}",
    "--config.run.log_every=1",
    f"--config.run.validate_every={STEPS}",  # a start that is killed need not compile it; test_loop.py has the rest
    "--config.run.checkpoint_every=5",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def store(folder):
    return make_store(folder / "store")


@pytest.fixture(scope="module")
def uninterrupted(folder, store):
    """(run folder, everything it printed)."""
    process = start_pretrain(folder / "whole", store, folder / "cache", *MORE)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return folder / "whole", output


KILLS = (
    ("line", 3, signal.SIGKILL),  # while the first steps are made; no checkpoint is there yet
    ("manifest", 1, signal.SIGKILL),  # the files of the first checkpoint are whole, it is not
    ("line", 8, signal.SIGKILL),  # behind the checkpoint of step 5, which may be written or not
    ("removal", 1, signal.SIGKILL),
    ("line", 4, signal.SIGTERM),
)


def test_kills_and_a_sigterm_at_any_point_change_no_bit_of_curve_and_weights(folder, store, uninterrupted):
    workdir = folder / "killed"
    for point, count, number in KILLS:
        kill = f"{point}:{count}:{number:d}"
        process = start_pretrain(workdir, store, folder / "cache", *MORE, module="tests.killed_pretrain", KILL=kill)
        output, _ = process.communicate()
        assert process.returncode == (75 if number == signal.SIGTERM else -number), output
    process = start_pretrain(workdir, store, folder / "cache", *MORE)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert curve(workdir) == curve(uninterrupted[0])
    assert hashes(workdir, STEPS) == hashes(uninterrupted[0], STEPS)
    assert sorted(p.name for p in (workdir / "checkpoints").iterdir()) == sorted(
        p.name for p in (uninterrupted[0] / "checkpoints").iterdir()
    )


def test_a_run_folder_holds_what_the_design_lists(uninterrupted):
    names = {p.name for p in uninterrupted[0].iterdir()}
    assert names == {"config.json", "environment.json", "metrics.jsonl", "checkpoints", "tokenizer", "input.json"}


def test_another_config_is_refused_with_old_and_new_values(uninterrupted, store, folder):
    more = [*MORE, f"--config.optimizer.steps={STEPS + 1}"]
    process = start_pretrain(uninterrupted[0], store, folder / "cache", *more)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert f"optimizer.steps: {STEPS} -> {STEPS + 1}" in output and output.count("\n") == 1


def test_progress_and_the_end_are_printed(uninterrupted):
    output = uninterrupted[1]
    assert f"{STEPS}/{STEPS}" in output and f"step {STEPS} of {STEPS}" in output


def test_no_report_and_no_patient_of_the_store_is_printed_or_logged(uninterrupted, store):
    opened = open_store(str(store))
    written = uninterrupted[1] + (uninterrupted[0] / "metrics.jsonl").read_text()
    for private in (*opened.texts, *opened.column("patient_id"), *opened.column("record_id")):
        assert private not in written
