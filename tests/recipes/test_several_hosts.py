"""experiments.pretrain on two hosts of four devices: killed, preempted, continued elsewhere, and never alone."""

import json
import random
import signal

import pytest

from cgdmer_jax.early_stop import BEFORE
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.training.checkpoint import Checkpoints
from tests.several_hosts import hosts, wait_for_line
from tests.small_runs import make_store

STEPS = 40
ROWS = [f"row_{place}" for place in range(8)]  # of the whole batch, told by the toy method


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    make_store(folder / "store")
    return folder


@pytest.fixture(scope="module")
def words(folder):
    """Maker of the command line that starts one host on a run folder of a given name."""

    def of(name, *more):
        place = [f"--workdir={folder / name}", f"--config.data.stores={folder / 'store'}"]
        return ["-m", "tests.toy_hosts", "--config=tests/toy_hosts.py", *place, *more]

    return of


@pytest.fixture(scope="module")
def whole(folder, words):
    """Curve of an uninterrupted run on two hosts, and the output of each host."""
    with hosts(folder, words("whole"), words("whole")) as started:
        assert [host.code() for host in started] == [0, 0], "".join(host.said() for host in started)
        return curve(folder / "whole"), [host.said() for host in started]


def curve(run):
    """Step by step, each step once."""
    records = [record for record in read_metrics(run / "metrics.jsonl") if "loss" in record]
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    return records


def assert_same(found, expected, relative):
    for one, other in zip(found, expected, strict=True):
        assert [one[name] for name in ROWS] == [other[name] for name in ROWS], f"records of step {one['step']}"
        for name in ("loss", "gradient_norm"):
            assert one[name] == pytest.approx(other[name], rel=relative), f"{name} of step {one['step']}"


def test_one_host_alone_writes_the_log_and_the_progress(whole):
    _, (first, second) = whole
    assert f"{STEPS}/{STEPS}" in first and f"step {STEPS} of {STEPS}" in first
    assert [line for line in second.splitlines() if "Gloo" not in line and line.strip()] == []


def test_one_process_gives_the_curve_of_two(folder, words, whole):
    with hosts(folder, words("alone")) as (host,):
        assert host.code() == 0, host.said()
    assert_same(curve(folder / "alone"), whole[0], 1e-5)


def test_kill_9_of_either_host_ends_the_other_and_the_same_commands_go_on_with_the_same_curve(folder, words, whole):
    run, chance = folder / "killed", random.Random(11)
    for victim, span in ((1, (6, 14)), (0, (18, 30))):
        stop = f"{victim}:{chance.randint(*span)}:{signal.SIGKILL:d}"
        with hosts(folder, words("killed"), words("killed"), STOP=stop, FAREWELL_S="10") as started:
            assert started[victim].code() == -signal.SIGKILL, started[victim].said()
            assert started[1 - victim].code() not in (0, -signal.SIGKILL), started[1 - victim].said()
    with hosts(folder, words("killed"), words("killed")) as started:
        assert [host.code() for host in started] == [0, 0], started[0].said()
        assert "continuing at step" in started[0].said()
    assert_same(curve(run), whole[0], 1e-6)


@pytest.mark.parametrize(("mesh", "split"), [("(8,1)", False), ("(1,8)", True)])
def test_sigterm_to_one_host_saves_the_same_step_on_both_and_one_host_goes_on_from_it(
    folder, words, whole, mesh, split
):
    """With parameters on every device, and with each split over the devices of both hosts."""
    name = f"preempted{mesh}"
    run, own = folder / name, words(name, f"--config.run.mesh={mesh}")
    with hosts(folder, own, own, STOP=f"1:6:{signal.SIGTERM:d}") as started:
        assert [host.code() for host in started] == [75, 75], started[0].said() + started[1].said()
    stopped = Checkpoints(run / "checkpoints", 9).steps()[-1]
    assert 6 <= stopped < STEPS
    assert read_metrics(run / "metrics.jsonl")[-1]["step"] == stopped
    saved = json.loads((run / "checkpoints" / str(stopped) / "state/state/_sharding").read_text())
    assert any("fsdp" in json.loads(placed)["partition_spec"] for placed in saved.values()) == split
    with hosts(folder, words(name)) as (host,):
        assert host.code() == 0, host.said()
        assert f"continuing at step {stopped}" in host.said()
    assert_same(curve(run), whole[0], 1e-5)


def test_a_save_without_room_is_left_out_by_both_hosts_and_the_run_goes_on(folder, words, whole):
    run = folder / "no_room"
    more = "--config.run.keep_last=9"
    with hosts(folder, words("no_room", more), words("no_room", more), FULL="no_room:0:10") as started:
        assert [host.code() for host in started] == [0, 0], started[0].said() + started[1].said()
        assert "checkpoints/10 could not be written (0 GB are free there" in started[0].said()
    assert Checkpoints(run / "checkpoints", 9).steps() == [5, *range(15, STEPS + 1, 5)]
    assert_same(curve(run), whole[0], 1e-6)


@pytest.mark.parametrize("host", [0, 1])
def test_a_disk_that_fills_up_under_one_host_and_its_log_ends_both_and_they_go_on_from_the_save_before(
    folder, words, whole, host
):
    name = f"full{host}"
    with hosts(folder, words(name), words(name), FULL=f"files:{host}:10") as started:
        assert [one.code() for one in started] == [1, 1], started[0].said() + started[1].said()
        sentence = started[1 - host].error()
        assert f"error: host {host}: checkpoint " in sentence and "/10 could not be written" in sentence
    assert Checkpoints(folder / name / "checkpoints", 9).steps() == [5]
    with hosts(folder, words(name), words(name)) as started:
        assert [one.code() for one in started] == [0, 0], started[0].said()
        assert "continuing at step 5" in started[0].said()
    assert_same(curve(folder / name), whole[0], 1e-6)


def test_hosts_of_different_folders_end_with_one_sentence(folder, words, whole):
    (folder / "second").symlink_to(folder / "whole")
    one, other = (words("third", f"--init_from={folder / name}") for name in ("whole", "second"))
    with hosts(folder, one, [*other, f"--workdir={folder / 'fourth'}"]) as started:
        assert [host.code() for host in started] == [1, 1]
        assert all(
            f"--init_from is {folder / 'whole'} on host 0 and {folder / 'second'} on host 1; "
            f"--workdir is {folder / 'third'} on host 0 and {folder / 'fourth'} on host 1; start" in host.error()
            for host in started
        )


def test_hosts_of_different_configs_or_steps_end_with_one_sentence(folder, words):
    other = words("differing", "--config.seed=3", "--config.optimizer.steps=41")
    with hosts(folder, words("differing"), other) as started:
        assert [host.code() for host in started] == [1, 1]
        for host in started:
            assert host.error() == (
                "error: the hosts do not run the same: config.optimizer.steps is 40 on host 0 and 41 on host 1; "
                "config.seed is 0 on host 0 and 3 on host 1; the order of the training records (sha256) is "
                + host.error().split("(sha256) is ")[1]
            )
            assert host.error().endswith("; start all of them with the same code, command and data")
        assert started[0].error() == started[1].error()
    assert not (folder / "differing").exists()


def test_an_error_of_one_host_ends_both_with_its_sentence(folder, words):
    other = words("broken")[:-1]
    with hosts(folder, words("broken"), [*other, "--config.data.stores=nowhere"]) as started:
        assert [host.code() for host in started] == [1, 1]
        sentence = "error: host 1: there is no store at nowhere"
        assert all(host.error().startswith(sentence) and " / " not in host.error() for host in started)
    assert not (folder / "broken").exists()


@pytest.mark.parametrize("present", [0, 1])
def test_a_host_that_does_not_come_is_told_within_the_time_out(folder, words, present):
    patient = words("absent", "--host_timeout=3")
    absent = ["-c", "pass"]
    with hosts(folder, *([patient, absent] if present == 0 else [absent, patient])) as started:
        assert started[present].code() == 1, started[present].said()
        assert "not all 2 hosts came to 127.0.0.1:" in started[present].error()
        assert "within 3 s; see the log of those that are missing" in started[present].error()
    assert not (folder / "absent").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("present", [0, 1])
def test_a_signal_while_a_host_waits_for_the_others_ends_it_with_code_75(folder, words, present, number):
    absent = ["-c", "pass"]
    early = [words("early"), absent] if present == 0 else [absent, words("early")]
    with hosts(folder, *early, SAY_JOINING="yes") as started:
        one = started[present]
        wait_for_line("joining", one)
        one.process.send_signal(number)
        assert one.code() == 75 and one.said().splitlines()[-1] == BEFORE, one.said()
    assert not (folder / "early").exists()


def test_a_mesh_of_more_devices_than_there_are_is_one_sentence(folder, words):
    with hosts(folder, words("mesh", "--config.run.mesh=(4,4)"), words("mesh", "--config.run.mesh=(4,4)")) as started:
        assert [host.code() for host in started] == [1, 1]
        assert all(
            "config.run.mesh is (4, 4), which does not take the 8 devices there are" in h.error() for h in started
        )
