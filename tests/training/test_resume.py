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


def started(folder, store, name, *more, code=0, method="cgdmer", **variables) -> str:
    """Output of the command in the run folder of that name, which must end with that code."""
    process = start_pretrain(folder / name, store, *MORE, *more, method=method, **variables)
    output, _ = process.communicate()
    assert process.returncode == code, output
    return output


@pytest.fixture(scope="module")
def uninterrupted(folder, store):
    """(run folder, everything it printed)."""
    return folder / "whole", started(folder, store, "whole")


KILLS = (
    ("line", 3, signal.SIGKILL),  # while the first steps are made; no checkpoint is there yet
    ("manifest", 1, signal.SIGKILL),  # the files of the first checkpoint are whole, it is not
    ("line", 8, signal.SIGKILL),  # behind the checkpoint of step 5, which may be written or not
    ("removal", 1, signal.SIGKILL),
    ("line", 4, signal.SIGTERM),
)


def killed_and_continued(folder, store, name, kills, *more, **of_method):
    for point, count, number in kills:
        code = 75 if number == signal.SIGTERM else -number
        kill = {"module": "tests.killed_pretrain", "KILL": f"{point}:{count}:{number:d}"}
        started(folder, store, name, *more, code=code, **of_method, **kill)
    started(folder, store, name, *more, **of_method)
    return folder / name


def assert_same_runs(one, other, steps):
    assert curve(one) == curve(other)
    assert hashes(one, steps) == hashes(other, steps)
    made, expected = (sorted(p.name for p in (run / "checkpoints").iterdir()) for run in (one, other))
    assert made == expected


def test_kills_and_a_sigterm_at_any_point_change_no_bit_of_curve_and_weights(folder, store, uninterrupted):
    assert_same_runs(killed_and_continued(folder, store, "killed", KILLS), uninterrupted[0], STEPS)


@pytest.mark.parametrize("method", ["cmelt", "kmerl"])
def test_a_kill_changes_no_bit_of_another_method_s_run(method, folder, store):
    """These add to a run tables by text, and entities that are read when it starts."""
    more = ["--config.optimizer.steps=11", "--config.run.validate_every=11"]
    started(folder, store, f"{method}-whole", *more, method=method)
    killed = killed_and_continued(folder, store, f"{method}-killed", KILLS[2:3], *more, method=method)
    assert_same_runs(killed, folder / f"{method}-whole", 11)


def test_a_run_folder_holds_what_the_design_lists(uninterrupted):
    names = {p.name for p in uninterrupted[0].iterdir()}
    assert names == {"config.json", "environment.json", "metrics.jsonl", "checkpoints", "tokenizer", "input.json"}


def test_another_config_is_refused_with_old_and_new_values(uninterrupted, store, folder):
    output = started(folder, store, uninterrupted[0].name, f"--config.optimizer.steps={STEPS + 1}", code=1)
    assert f"optimizer.steps: {STEPS} -> {STEPS + 1}" in output and output.count("\n") == 1


def test_progress_and_the_end_are_printed(uninterrupted):
    output = uninterrupted[1]
    assert f"{STEPS}/{STEPS}" in output and f"step {STEPS} of {STEPS}" in output


def test_no_report_and_no_patient_of_the_store_is_printed_or_logged(uninterrupted, store):
    opened = open_store(str(store))
    written = uninterrupted[1] + (uninterrupted[0] / "metrics.jsonl").read_text()
    for private in (*opened.texts, *opened.column("patient_id"), *opened.column("record_id")):
        assert private not in written
