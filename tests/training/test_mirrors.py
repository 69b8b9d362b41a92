"""Copies of the metrics for TensorBoard and W&B: the same numbers, nothing else, and only when asked."""

import struct
import sys
import time
from types import SimpleNamespace

import pytest
from tensorboardX.proto.event_pb2 import Event

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.log import MetricsLog
from cgdmer_jax.training.mirrors import open_mirrors


def events(folder) -> list[tuple[int, str, float]]:
    """(step, name, value) of every scalar in TensorBoard's record files: length, checksum, event, checksum."""
    found = []
    for file in sorted(folder.iterdir()):
        content, at = file.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            at += 16 + length
    return found


def test_tensorboard_holds_every_number_of_the_log_at_its_step(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl", open_mirrors(("tensorboard",), tmp_path, 0))
    log.write({"step": 10, "loss": 0.5, "records_per_second": None})
    log.write({"step": 20, "loss": 0.25, "validation_loss": 2.0})
    deadline = time.monotonic() + 20  # tensorboardX writes in a thread of its own
    while len(found := events(tmp_path / "tensorboard")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == [(10, "loss", 0.5), (20, "loss", 0.25), (20, "validation_loss", 2.0)]


def test_wandb_gets_the_same_numbers_and_goes_on_with_the_same_run(tmp_path, monkeypatch):
    begun, logged = [], []

    def init(**given):
        begun.append(given)
        return SimpleNamespace(log=lambda numbers, step: logged.append((step, numbers)))

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    for step in (1, 2):
        log = MetricsLog(tmp_path / "metrics.jsonl", open_mirrors(("wandb",), tmp_path, step - 1))
        log.write({"step": step, "loss": 3.0})
    assert logged == [(1, {"loss": 3.0}), (2, {"loss": 3.0})]
    assert begun[0] == begun[1] == {"dir": str(tmp_path), "name": tmp_path.name, "id": tmp_path.name, "resume": "allow"}


def test_off_means_off(tmp_path):
    MetricsLog(tmp_path / "metrics.jsonl", open_mirrors((), tmp_path, 0)).write({"step": 1, "loss": 3.0})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_an_unknown_or_absent_one_is_refused(tmp_path, monkeypatch):
    with pytest.raises(CgdmerError, match='Did you mean "tensorboard"'):
        open_mirrors(("tensorbord",), tmp_path, 0)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(CgdmerError, match="pip install wandb"):
        open_mirrors(("wandb",), tmp_path, 0)
