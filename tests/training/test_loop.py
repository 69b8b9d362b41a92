"""The loop on a toy method: when it logs, validates, saves and stops, and that it goes on bit by bit."""

import contextlib
import functools
import os
import signal

import pytest

from cgdmer_jax.early_stop import PREEMPTED
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import MetricsLog, untimed
from cgdmer_jax.training.loop import COMPILING, DONE, TRAINING
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.stop import StopFlag
from tests.full_disk import files_of_at_most
from tests.training.toy import CONFIG, STEP, batches, bytes_of, new_state, run


def lines(folder):
    """metrics.jsonl without the figure that time decides."""
    return [untimed(record) for record in read_metrics(folder / "metrics.jsonl")]


def restored(folder):
    return Checkpoints(folder / "checkpoints", 9).restore_latest(new_state(), print)


def test_intervals_say_when_a_line_a_validation_and_a_checkpoint_come(tmp_path):
    state, code = run(tmp_path)
    assert code == DONE and int(state.step) == CONFIG.steps
    records = read_metrics(tmp_path / "metrics.jsonl")
    assert [r["step"] for r in records if "loss" in r] == [2, 4, 6, 8, 10, 12]
    assert [r["step"] for r in records if "validation_loss" in r] == [6, 12]
    assert Checkpoints(tmp_path / "checkpoints", 9).steps() == [4, 6, 8, 12]  # with each validation too: the best
    training = [r for r in records if "loss" in r]
    assert all({"gradient_norm", "bias", "learning_rate"} <= r.keys() for r in training)
    clocked = [r["step"] for r in training if r["records_per_second"] is not None]
    assert clocked == [4, 6, 8, 10, 12]  # all but the first line's, in which the step was compiled


def test_the_bar_says_compiling_until_the_first_step_is_made(tmp_path, capsys):
    run(tmp_path)
    first, *_, last = capsys.readouterr().err.strip().split("\r")
    assert first.startswith(f"{COMPILING}:   0%") and last.startswith(f"{TRAINING}: 100%")
    run(tmp_path, state=restored(tmp_path))
    assert COMPILING not in capsys.readouterr().err, "a finished run makes no step"


def test_the_diagnosis_comes_at_its_interval_and_changes_nothing_else(tmp_path):
    whole, _ = run(tmp_path / "without")
    state, _ = run(tmp_path / "with", diagnose_every=5)
    assert bytes_of(state) == bytes_of(whole)
    found = [r for r in lines(tmp_path / "with") if "gradient_norm_bias" in r]
    assert [r["step"] for r in found] == [5, 10]
    assert [r for r in lines(tmp_path / "with") if r not in found] == lines(tmp_path / "without")


def test_behind_one_step_validation_comes_first_and_the_checkpoint_last(tmp_path, monkeypatch):
    events = []

    def told(name, figures):
        return lambda _: (events.append(name), figures)[1]

    save = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "save", lambda self, *words: (events.append("save"), save(self, *words)))
    run(tmp_path, validate_every=12, diagnose_every=12, checkpoint_every=12,
        validate=told("validate", {"loss": 0.25}), diagnose=told("diagnose", {"norm": 2.0}))  # fmt: skip
    assert events == ["validate", "diagnose", "save"]
    assert [r.keys() - {"step"} for r in lines(tmp_path)[-2:]] == [{"validation_loss"}, {"norm"}]


def test_the_last_step_is_logged_validated_and_saved_whatever_the_intervals(tmp_path):
    run(tmp_path, log_every=50, validate_every=50, checkpoint_every=50)
    assert [sorted(r)[0] for r in lines(tmp_path)] == ["bias", "step"]
    assert Checkpoints(tmp_path / "checkpoints", 9).steps() == [12]


def test_the_best_checkpoint_has_the_lowest_validation_loss_and_is_kept(tmp_path):
    losses = iter([0.5, 0.2, 0.3, 0.4])
    run(tmp_path, validate_every=3, checkpoint_every=50, keep_last=1, validate=lambda _: {"loss": next(losses)})
    checkpoints = Checkpoints(tmp_path / "checkpoints", 1)
    assert checkpoints.steps() == [6, 12] and checkpoints.best_step() == 6


def test_a_record_is_fetched_after_the_next_step_is_dispatched(tmp_path, monkeypatch):
    events = []

    def step(state, batch):
        events.append(("dispatch", int(state.step) + 1))
        return STEP(state, batch)

    real = MetricsLog.write
    monkeypatch.setattr(MetricsLog, "write", lambda log, r: (events.append(("write", r["step"])), real(log, r)))
    run(tmp_path, step_function=step, log_every=4, validate_every=50, checkpoint_every=50)
    order = [events.index(e) for e in (("dispatch", 4), ("dispatch", 5), ("write", 4), ("dispatch", 6))]
    assert order == sorted(order)


def test_a_run_goes_on_bit_by_bit_from_any_checkpoint(tmp_path):
    whole, _ = run(tmp_path / "whole")
    expected = lines(tmp_path / "whole")
    for step in (4, 6, 8):
        state = Checkpoints(tmp_path / "whole" / "checkpoints", 9).restore(step, new_state())
        folder = tmp_path / str(step)
        state, _ = run(folder, state=state)
        assert bytes_of(state) == bytes_of(whole)
        assert lines(folder) == [r for r in expected if r["step"] > step]


def test_a_disk_that_is_full_for_a_while_changes_nothing_but_which_checkpoints_there_are(tmp_path):
    """Full until those of steps 4 and 6 have failed, and for the lines meanwhile."""
    whole, _ = run(tmp_path / "whole", log_every=1)
    full, told = contextlib.ExitStack(), []

    def step(state, batch):
        if int(state.step) + 1 == 4:
            size = (tmp_path / "full" / "metrics.jsonl").stat().st_size
            full.enter_context(files_of_at_most(size + 200))
        return STEP(state, batch)

    def tell(text):
        told.append(text)
        if len(told) == 2:
            full.close()

    with full:
        state, code = run(tmp_path / "full", step_function=step, log_every=1, tell=tell)
    assert [text.endswith("; training continues") for text in told] == [True, True]
    assert code == DONE and bytes_of(state) == bytes_of(whole)
    assert lines(tmp_path / "full") == lines(tmp_path / "whole")
    checkpoints = Checkpoints(tmp_path / "full" / "checkpoints", 9)
    assert checkpoints.steps() == [8, 12]
    checkpoints.remove_unfinished()  # as the next start does
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == ["12", "8"], "no temporary folder is left"


def test_a_finished_run_is_left_as_it_is(tmp_path):
    state, _ = run(tmp_path)
    before = bytes_of(state), (tmp_path / "metrics.jsonl").read_text()
    state, code = run(tmp_path, state=restored(tmp_path))
    assert code == DONE and (bytes_of(state), (tmp_path / "metrics.jsonl").read_text()) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_at_the_step_border_and_the_run_goes_on_bit_by_bit(tmp_path, number):
    whole, _ = run(tmp_path / "whole")

    def step(state, batch):
        if int(state.step) + 1 == 7:
            os.kill(os.getpid(), number)
        return STEP(state, batch)

    with StopFlag() as stop:
        state, code = run(tmp_path / "cut", step_function=step, stop=stop)
    assert code == PREEMPTED and int(state.step) == 7
    assert Checkpoints(tmp_path / "cut" / "checkpoints", 9).steps()[-1] == 7
    state, code = run(tmp_path / "cut", state=restored(tmp_path / "cut"))
    assert code == DONE and bytes_of(state) == bytes_of(whole)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_a_signal_while_it_validates_stops_the_run_one_step_later_and_it_goes_on_bit_by_bit(tmp_path):
    whole, _ = run(tmp_path / "whole")

    def validate(variables):
        os.kill(os.getpid(), signal.SIGTERM)
        return {"loss": 1.0}

    with StopFlag() as stop:
        state, code = run(tmp_path / "cut", validate=validate, stop=stop)
    assert code == PREEMPTED and int(state.step) == 7
    state, code = run(tmp_path / "cut", state=restored(tmp_path / "cut"))
    assert code == DONE and bytes_of(state) == bytes_of(whole)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_a_signal_during_the_last_save_changes_nothing(tmp_path, monkeypatch):
    """The save is waited for, and the run is at its end."""
    wait, waits = Checkpoints.wait, []

    def interrupted(self):
        waits.append(self)
        if len(waits) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        wait(self)

    monkeypatch.setattr(Checkpoints, "wait", interrupted)
    with StopFlag() as stop:
        state, code = run(tmp_path, stop=stop)
    assert code == DONE and bytes_of(restored(tmp_path)) == bytes_of(state)


def test_a_signal_during_the_set_up_makes_no_step(tmp_path):
    stop = StopFlag()
    stop.is_set = True
    state, code = run(tmp_path, stop=stop)
    assert code == PREEMPTED and int(state.step) == 0 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad_step", [3, 4, 5, 6, 12])
def test_a_loss_that_is_not_finite_stops_the_run_naming_its_step_and_is_never_saved(tmp_path, bad_step):
    bad = functools.partial(batches, bad_steps=(bad_step,))
    with pytest.raises(CgdmerError, match=f"not finite at step {bad_step};"):
        run(tmp_path, batches=bad)
    assert all(step < bad_step for step in Checkpoints(tmp_path / "checkpoints", 9).steps())
    assert all(r["step"] < bad_step for r in lines(tmp_path) if "loss" in r)


def test_the_reader_is_closed_after_an_error(tmp_path):
    closed = []

    def closing(first, last):
        try:
            yield from batches(first, last)
        finally:
            closed.append(True)

    def step(state, batch):
        raise KeyError

    with pytest.raises(KeyError):
        run(tmp_path, batches=closing, step_function=step)
    assert closed == [True]


@pytest.mark.parametrize("field", ["log_every", "validate_every", "checkpoint_every", "keep_last"])
def test_an_interval_below_one_is_refused_by_name(field):
    fields = {"log_every": 1, "validate_every": 1, "checkpoint_every": 1, "keep_last": 1}
    fields |= {"diagnose_every": 1, "trace": False}
    with pytest.raises(CgdmerError, match=f"config.run.{field} is 0"):
        RunConfig(**fields | {field: 0})


def test_a_run_is_never_diagnosed_at_an_interval_of_zero_and_a_negative_one_is_refused(tmp_path):
    run(tmp_path, diagnose_every=0)
    fields = {"log_every": 1, "validate_every": 1, "checkpoint_every": 1, "keep_last": 1, "trace": False}
    with pytest.raises(CgdmerError, match=r"config\.run\.diagnose_every is -1"):
        RunConfig(**fields, diagnose_every=-1)


def test_a_trace_is_written_when_asked_for_and_of_a_run_that_ends_within_it_too(tmp_path):
    run(tmp_path / "without")
    assert not (tmp_path / "without/trace").exists()
    run(tmp_path / "with", trace=True)  # ends at step 12, while 10 to 15 are traced
    assert list((tmp_path / "with/trace").rglob("*.xplane.pb"))
    assert lines(tmp_path / "with") == lines(tmp_path / "without")
