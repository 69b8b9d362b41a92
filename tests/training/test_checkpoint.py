"""A checkpoint is whole and intact, or it is not used."""

import shutil

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.manifest import MANIFEST
from cgdmer_jax.training.state import TrainState, start


def state_of(step: int) -> TrainState:
    params = {"layer": {"kernel": jnp.arange(2048, dtype=jnp.float32) + step}}
    return start(Variables(params, {}), optax.adam(1e-3))._replace(step=jnp.int32(step))


def kernel(state: TrainState) -> np.ndarray:
    return np.asarray(state.variables.params["layer"]["kernel"])


@pytest.fixture
def folder(tmp_path):
    """Steps 1, 2 and 3; step 1 has the lowest validation loss."""
    with Checkpoints(tmp_path / "checkpoints", keep_last=3) as checkpoints:
        for step, loss in ((1, 0.5), (2, 0.7), (3, 0.6)):
            checkpoints.save(state_of(step), loss)
    return tmp_path / "checkpoints"


def largest_file(step_folder):
    return max((p for p in step_folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def test_what_was_saved_comes_back_bit_for_bit(folder):
    restored = Checkpoints(folder, 3).restore_latest(state_of(0), print)
    assert int(restored.step) == 3
    np.testing.assert_array_equal(kernel(restored), kernel(state_of(3)))


def test_a_flipped_bit_is_refused_by_name_and_the_step_before_is_used(folder):
    damaged = largest_file(folder / "3")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    told = []
    restored = Checkpoints(folder, 3).restore_latest(state_of(0), told.append)
    assert int(restored.step) == 2
    assert len(told) == 1 and str(damaged) in told[0]


@pytest.mark.parametrize("harm", ["truncated", "missing"])
def test_a_truncated_or_missing_file_is_refused(folder, harm):
    damaged = largest_file(folder / "3")
    if harm == "missing":
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:-1])
    told = []
    assert int(Checkpoints(folder, 3).restore_latest(state_of(0), told.append).step) == 2
    assert damaged.name in told[0]


def test_when_none_is_intact_the_run_does_not_start_over_in_silence(folder):
    for step in ("1", "2", "3"):
        largest_file(folder / step).unlink()
    with pytest.raises(CgdmerError, match="none of its 3 checkpoints is intact"):
        Checkpoints(folder, 3).restore_latest(state_of(0), lambda _: None)


def test_a_step_without_manifest_does_not_exist_and_is_removed(folder):
    (folder / "3" / MANIFEST).unlink()
    checkpoints = Checkpoints(folder, 3)
    assert checkpoints.steps() == [1, 2]
    checkpoints.remove_unfinished()
    assert not (folder / "3").exists()


def test_the_last_ones_and_the_best_one_are_kept(tmp_path):
    with Checkpoints(tmp_path, keep_last=2) as checkpoints:
        for step, loss in enumerate((0.9, 0.1, 0.5, 0.6, float("nan")), start=1):
            checkpoints.save(state_of(step), loss)
    assert checkpoints.steps() == [2, 4, 5]
    assert checkpoints.best_step() == 2


@pytest.mark.parametrize("change", [lambda k: k.astype(jnp.float16), lambda k: k[:10]])
def test_another_dtype_or_shape_is_refused_naming_the_array(folder, change):
    other = state_of(0)
    params = {"layer": {"kernel": change(other.variables.params["layer"]["kernel"])}}
    other = start(Variables(params, {}), optax.adam(1e-3))
    with pytest.raises(CgdmerError, match=r"kernel.*this run needs"):
        Checkpoints(folder, 3).restore(3, other)


def test_a_failed_save_leaves_the_one_before_usable_and_no_leftover(folder, monkeypatch):
    checkpoints = Checkpoints(folder, 3)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cgdmer_jax.training.checkpoint.write_manifest", full)
    checkpoints.save(state_of(4), None)
    with pytest.raises(CgdmerError, match="No space left on device"):
        checkpoints.wait()
    assert checkpoints.steps() == [1, 2, 3]
    assert not (folder / "4").exists()
    assert int(checkpoints.restore_latest(state_of(0), print).step) == 3


def test_a_copied_run_folder_is_as_good_as_the_first(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert int(Checkpoints(tmp_path / "elsewhere", 3).restore_latest(state_of(0), print).step) == 3
