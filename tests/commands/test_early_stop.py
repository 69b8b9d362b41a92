"""SIGTERM and Ctrl-C before a command has anything to save: at once, with one sentence and code 75, leaving nothing."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import jax
import pytest

from cgdmer_jax import early_stop
from cgdmer_jax.commands import ablate, convert
from cgdmer_jax.early_stop import AFTER, BEFORE, RESUMING, SIGNALS
from cgdmer_jax.recipes import pretrain as recipe
from cgdmer_jax.recipes import training_run
from cgdmer_jax.studies import many_runs, one_run
from tests.data.small_stores import write_store
from tests.small_runs import ROOT
from tests.toy_runs import toy_config, toy_known

WAITING = "import sys\nprint('importing', flush=True)\nsys.stdin.read()\n"


@pytest.fixture
def listening():
    """As after `python -m experiments.pretrain`; also where the tests are a shell's background job, deaf to Ctrl-C."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    early_stop.listen_in(["python", "-m", "experiments.pretrain", "--config=..."])
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", RESUMING)
def test_a_signal_while_a_command_imports_its_libraries_is_one_sentence_and_code_75(tmp_path, listening, name, number):
    for library in ("numpy", "jax"):  # the first thing that any of them imports, and what takes the time
        (tmp_path / f"{library}.py").write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, "-m", f"experiments.{name}", "--help"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        assert process.wait() == 75
        assert (process.stdout.read(), process.stderr.read()) == ("", f"{BEFORE}\n")


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGTERM, -signal.SIGTERM, ""),
        (signal.SIGINT, 1, "error: interrupted; the same command starts over\n"),
    ],
)
def test_a_command_that_begins_anew_ends_by_the_signal_itself(tmp_path, number, code, said):
    (tmp_path / "numpy.py").write_text(WAITING)
    words = [sys.executable, "-m", "experiments.publish", "--help"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)}, text=True, **pipes) as one:
        assert one.stdout.readline() == "importing\n"
        one.send_signal(number)
        assert one.wait() == code and one.stderr.read() == said


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("room", "name"),
    [(recipe, "open_corpus"), (recipe, "first_state"), (training_run, "_begin"), (training_run, "make_step")],
)
def test_a_signal_while_a_run_is_set_up_ends_it_and_the_same_command_starts_it(
    tmp_path, monkeypatch, capfd, listening, room, name, number
):
    config = toy_config(write_store(tmp_path / "s", [f"report {row}" for row in range(60)]))
    with toy_known():
        with monkeypatch.context() as patch:
            patch.setattr(room, name, lambda *words: os.kill(os.getpid(), number))
            with pytest.raises(SystemExit) as stopped:
                recipe.pretrain(config, tmp_path / "run")
        assert stopped.value.code == 75
        assert capfd.readouterr().err == f"{BEFORE}\n"
        assert recipe.pretrain(config, tmp_path / "run") == 0


def test_after_training_the_sentence_says_so(tmp_path, monkeypatch, capfd, listening):
    config = toy_config(write_store(tmp_path / "s", [f"report {row}" for row in range(60)]))
    monkeypatch.setattr(training_run, "measured", lambda *words: os.kill(os.getpid(), signal.SIGTERM))
    with toy_known(), pytest.raises(SystemExit) as stopped:
        recipe.pretrain(config, tmp_path / "run")
    assert stopped.value.code == 75 and capfd.readouterr().err.endswith(f"\n{AFTER}\n")


def test_of_several_hosts_none_listens_for_itself_after_training(tmp_path, monkeypatch, listening):
    config = toy_config(write_store(tmp_path / "s", [f"report {row}" for row in range(60)]))
    monkeypatch.setattr(training_run, "jax", SimpleNamespace(**vars(jax) | {"process_count": lambda: 2}))
    with toy_known():
        assert recipe.pretrain(config, tmp_path / "run") == 0
    assert [signal.getsignal(number) for number in SIGNALS] == [early_stop.StopAtOnce(BEFORE)] * 2


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_conversion_is_answered_as_ctrl_c_is(tmp_path, monkeypatch, capfd, listening, number):
    monkeypatch.setattr(convert, "convert", lambda *words, **more: os.kill(os.getpid(), number))
    assert convert.main(["--source=synthetic", "--records=20", f"--out={tmp_path / 's'}"]) == 75
    assert capfd.readouterr().err == "interrupted; the same command continues\n"


def test_a_signal_between_two_runs_of_a_grid_says_so(tmp_path, monkeypatch, capfd, listening):
    store = write_store(tmp_path / "s", [f"report {row}" for row in range(40)])
    monkeypatch.setattr(many_runs, "run_one", lambda *words: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stopped:
        ablate.main(["--grid=configs/ablations/cgdmer.py", f"--store={store}", f"--out={tmp_path}"])
    assert stopped.value.code == 75
    assert capfd.readouterr().err == "stopped between two runs; the same command continues with those not finished\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_run_of_a_grid_is_started_ends_that_run_too(monkeypatch, listening, number):
    begin, children = subprocess.Popen, []

    def stopped_at_once(*words, **more):
        children.append(begin(*words, **more))
        os.kill(os.getpid(), number)
        return children[0]

    monkeypatch.setattr(one_run.subprocess, "Popen", stopped_at_once)
    assert one_run.run_child([sys.executable, "-c", "import time; time.sleep(600)"]) == 75
    assert children[0].poll() is not None


def test_no_handler_is_changed_where_no_command_listens():
    before = [signal.getsignal(number) for number in SIGNALS]
    early_stop.listen_in(["python", "-m", "experiments.evaluate"])
    early_stop.from_now_on(AFTER)
    early_stop.as_ctrl_c()
    assert [signal.getsignal(number) for number in SIGNALS] == before
