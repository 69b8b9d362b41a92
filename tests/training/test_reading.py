"""Checkpoints read while a run trains in the same folder, and removes the one that is being read."""

import shutil

import jax
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training import checkpoint
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.manifest import DamagedCheckpoint
from cgdmer_jax.whole_file import sha256_of
from tests.training.test_checkpoint import files_of
from tests.training.toy import bytes_of, new_state

MOMENTS = ("verify", "read_manifest", "ocp.load")  # before each of these, in the order of their calls


def state_of(step):
    """Other variables at each step."""
    state = new_state(step)
    return state._replace(variables=jax.tree.map(lambda x: x + step, state.variables))


def save(folder, *steps, keep_last=9):
    with Checkpoints(folder, keep_last) as checkpoints:
        for step in steps:
            checkpoints.save(state_of(step), None)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    save(folder, 3, 5)
    return folder


@pytest.fixture
def two(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "two")


def meanwhile(monkeypatch, moment, act):
    """Acts once, just before that function of the checkpoint room is called."""
    holder, name = (checkpoint.ocp, "load") if moment == "ocp.load" else (checkpoint, moment)
    real, acted = getattr(holder, name), []

    def call(*words):
        if not acted:
            acted.append(moment)
            act()
        return real(*words)

    monkeypatch.setattr(holder, name, call)
    return acted


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_latest_removed_while_it_is_read_is_exchanged_for_the_next(two, monkeypatch, moment):
    acted = meanwhile(monkeypatch, moment, lambda: save(two, 8, keep_last=1))
    restored = Checkpoints(two, 9).restore_variables(None, new_state())
    assert acted and Checkpoints(two, 9).steps() == [8]
    assert (restored.step, restored.sha256) == (8, sha256_of(two / "8" / "manifest.json"))
    assert bytes_of(restored.variables) == bytes_of(state_of(8).variables)


def test_one_that_is_half_removed_is_exchanged_for_the_next(saved, tmp_path, monkeypatch):
    for place, path in enumerate(files_of(saved / "5")):
        two = shutil.copytree(saved, tmp_path / str(place))

        def act(two=two, path=path):
            save(two, 8)
            (two / "5" / "manifest.json").unlink()
            (two / path.relative_to(saved)).unlink(missing_ok=True)

        with monkeypatch.context() as patch:
            meanwhile(patch, "ocp.load", act)
            restored = Checkpoints(two, 9).restore_variables(None, new_state())
        # Where nothing was needed of the file, the whole of step 5 was still there to be read.
        assert restored.step in (5, 8)
        assert bytes_of(restored.variables) == bytes_of(state_of(restored.step).variables)
        assert restored.sha256 == sha256_of((two if restored.step == 8 else saved) / f"{restored.step}/manifest.json")


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_asked_for_by_number_and_removed_is_one_sentence_with_the_steps_there_are(two, monkeypatch, moment):
    meanwhile(monkeypatch, moment, lambda: save(two, 7, 8, keep_last=2))
    with pytest.raises(CgdmerError, match=r"has no checkpoint of step 5; it has \[7, 8\]"):
        Checkpoints(two, 9).restore_variables(5, new_state())


def test_a_step_written_anew_while_it_is_read_is_read_anew(two, monkeypatch):
    def write_anew():
        shutil.rmtree(two / "5")
        with Checkpoints(two, 9) as checkpoints:
            checkpoints.save(state_of(6)._replace(step=new_state(5).step), None)

    meanwhile(monkeypatch, "ocp.load", write_anew)
    restored = Checkpoints(two, 9).restore_variables(5, new_state())
    assert bytes_of(restored.variables) == bytes_of(state_of(6).variables)
    assert restored.sha256 == sha256_of(two / "5" / "manifest.json")


@pytest.mark.parametrize("moment", MOMENTS)
def test_first_weights_from_a_run_that_trains_are_those_of_its_next_checkpoint(two, monkeypatch, moment):
    told = []
    meanwhile(monkeypatch, moment, lambda: save(two, 8, keep_last=1))
    variables = Checkpoints(two, 9).restore_latest_variables(new_state(), told.append)
    assert bytes_of(variables) == bytes_of(state_of(8).variables)
    assert told == [], "a checkpoint that a run removed is not damaged"


def test_a_run_that_is_removed_while_it_is_read_is_one_sentence(two, monkeypatch):
    meanwhile(monkeypatch, "ocp.load", lambda: shutil.rmtree(two))
    with pytest.raises(CgdmerError, match="holds no checkpoint"):
        Checkpoints(two, 9).restore_variables(None, new_state())


def test_a_damaged_checkpoint_that_stays_is_refused_and_not_read_for_ever(two):
    next(path for path in files_of(two / "5") if path.name == "_METADATA").write_bytes(b"")
    with pytest.raises(DamagedCheckpoint, match="differs from what was written"):
        Checkpoints(two, 9).restore_variables(None, new_state())
