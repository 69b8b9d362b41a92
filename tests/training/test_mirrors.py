"""Copies of the metrics for TensorBoard and W&B: the same numbers, nothing else, and only when asked."""

import os
import sys
import time
from types import SimpleNamespace

import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.log import MetricsLog
from cgdmer_jax.training.mirrors import open_mirrors
from tests.training.event_files import read_events


def scalars(folder) -> list[tuple[int, str, float]]:
    """(step, name, value) of every scalar."""
    events = (event for file in sorted(folder.iterdir()) for event in read_events(file))
    return [(event.step, value.tag, value.simple_value) for event in events for value in event.summary.value]


def test_tensorboard_holds_every_number_of_the_log_at_its_step(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl", open_mirrors(("tensorboard",), tmp_path, 0))
    log.write({"step": 10, "loss": 0.5, "records_per_second": None})
    log.write({"step": 20, "loss": 0.25, "validation_loss": 2.0})
    deadline = time.monotonic() + 1800  # tensorboardX writes in a thread of its own
    while len(found := scalars(tmp_path / "tensorboard")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == [(10, "loss", 0.5), (20, "loss", 0.25), (20, "validation_loss", 2.0)]


class Settings(SimpleNamespace):
    """As wandb's: a field that it does not know is a ValueError."""

    known = frozenset(
        "console disable_code disable_git host save_code x_disable_machine_info x_disable_meta x_disable_stats "
        "x_save_requirements".split()
    )

    def __init__(self, **fields):
        if unknown := fields.keys() - self.known:
            raise ValueError(f"Extra inputs are not permitted: {unknown}")
        super().__init__(**fields)


class FakeWandb(SimpleNamespace):
    """Notes what it is begun with and what it is handed."""

    def __init__(self):
        super().__init__(begun=[], logged=[], Settings=Settings, __version__="0.0")

    def init(self, **given):
        self.begun.append(given)
        return SimpleNamespace(log=lambda numbers, step: self.logged.append((step, numbers)))


@pytest.fixture
def wandb(monkeypatch):
    for name in ("WANDB_PROJECT", "WANDB_ERROR_REPORTING"):
        monkeypatch.setenv(name, "")  # so that it is as before when the test has ended
        monkeypatch.delenv(name)
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_wandb_gets_the_same_numbers_and_goes_on_with_the_same_run(tmp_path, wandb):
    for step in (1, 2):
        log = MetricsLog(tmp_path / "metrics.jsonl", open_mirrors(("wandb",), tmp_path, step - 1))
        log.write({"step": step, "loss": 3.0})
    assert wandb.logged == [(1, {"loss": 3.0}), (2, {"loss": 3.0})]
    first, second = ({name: value for name, value in given.items() if name != "settings"} for given in wandb.begun)
    assert first == second == {"dir": str(tmp_path), "name": tmp_path.name, "id": tmp_path.name, "resume": "allow"}


def test_wandb_is_told_to_send_nothing_of_machine_code_git_or_console(tmp_path, wandb):
    open_mirrors(("wandb",), tmp_path, 0)
    settings = vars(wandb.begun[0]["settings"])
    assert settings["console"] == "off" and settings["host"] == ""
    assert settings["save_code"] is settings["x_save_requirements"] is False
    disabled = {name for name, value in settings.items() if value is True}
    assert disabled == {
        *("disable_code", "disable_git"),
        *("x_disable_machine_info", "x_disable_meta", "x_disable_stats"),
    }
    assert os.environ["WANDB_ERROR_REPORTING"] == "false" and os.environ["WANDB_PROJECT"] == "cgdmer_jax"


def test_variables_that_the_user_set_for_wandb_stay(tmp_path, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    open_mirrors(("wandb",), tmp_path, 0)
    assert os.environ["WANDB_PROJECT"] == "mine"


def test_a_wandb_that_cannot_keep_all_of_it_private_is_refused(tmp_path, wandb, monkeypatch):
    monkeypatch.setattr(Settings, "known", Settings.known - {"x_disable_machine_info"})
    with pytest.raises(CgdmerError, match=r"wandb 0\.0 does not take the settings .*pip install --upgrade wandb"):
        open_mirrors(("wandb",), tmp_path, 0)
    assert not wandb.begun


def test_off_means_off(tmp_path):
    MetricsLog(tmp_path / "metrics.jsonl", open_mirrors((), tmp_path, 0)).write({"step": 1, "loss": 3.0})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_an_unknown_or_absent_one_is_refused(tmp_path, monkeypatch):
    with pytest.raises(CgdmerError, match='Did you mean "tensorboard"'):
        open_mirrors(("tensorbord",), tmp_path, 0)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(CgdmerError, match="pip install wandb"):
        open_mirrors(("wandb",), tmp_path, 0)
