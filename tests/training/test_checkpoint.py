"""A checkpoint is whole or it does not exist; what is not as written is refused by name."""

import errno
import json
import os
import random
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training import checkpoint, manifest
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.manifest import DamagedCheckpoint, verify
from tests.full_disk import files_of_at_most
from tests.training.toy import bytes_of, new_state


def save(folder, *steps, losses=None, keep_last=9):
    with Checkpoints(folder, keep_last) as checkpoints:
        for place, step in enumerate(steps):
            checkpoints.save(new_state(step), losses[place] if losses else None)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Checkpoints of steps 3 and 5; tests damage copies."""
    folder = tmp_path_factory.mktemp("saved")
    save(folder, 3, 5)
    return folder


@pytest.fixture
def two(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "two")


def files_of(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def restored_step(folder, told):
    return int(Checkpoints(folder, 9).restore_latest(new_state(), told.append).step)


def test_a_restored_state_is_bit_equal(saved):
    restored = Checkpoints(saved, 9).restore(5, new_state())
    assert bytes_of(restored) == bytes_of(new_state(5))
    assert jax.tree.structure(restored) == jax.tree.structure(new_state())


def test_a_flipped_bit_in_any_file_is_refused_by_name_and_the_step_before_is_used(two, saved):
    draw = random.Random(0)
    for path in files_of(two / "5"):
        content = bytearray(path.read_bytes())
        if not content:
            continue
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        whole = path.read_bytes()
        path.write_bytes(content)
        told = []
        assert restored_step(two, told) == 3
        assert len(told) == 1 and str(path) in told[0]
        path.write_bytes(whole)
    assert restored_step(two, []) == 5


def test_a_truncated_file_is_refused_by_name(two):
    for path in files_of(two / "5"):
        whole = path.read_bytes()
        if not whole:
            continue
        path.write_bytes(whole[:-1])
        told = []
        assert restored_step(two, told) == 3
        assert str(path) in told[0]
        path.write_bytes(whole)


def test_a_missing_file_is_refused_by_name(two):
    path = next(p for p in files_of(two / "5") if p.name == "_METADATA")
    path.unlink()
    told = []
    assert restored_step(two, told) == 3
    assert f"{path} is missing" in told[0]


def test_a_file_that_cannot_be_read_is_refused_by_name_and_the_step_before_is_used(two, monkeypatch):
    def read(path):
        if path.parent.parts[-2:] != ("5", "state"):
            return sha256_of(path)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sha256_of = manifest.sha256_of
    monkeypatch.setattr(manifest, "sha256_of", read)
    told = []
    assert restored_step(two, told) == 3
    assert len(told) == 1 and "/5/state/" in told[0] and "cannot be read (Input/output error)" in told[0]


def test_a_host_that_finds_another_checkpoint_than_host_0_does_not_go_on(two, monkeypatch):
    monkeypatch.setattr(checkpoint, "of_first", lambda name, find: [find()[0], "0" * 64])
    with pytest.raises(CgdmerError, match="/5 is not the checkpoint that host 0 has there"):
        restored_step(two, [])


def test_a_step_without_manifest_does_not_exist_and_is_removed(two):
    (two / "5" / "manifest.json").unlink()
    checkpoints = Checkpoints(two, 9)
    assert checkpoints.steps() == [3]
    checkpoints.remove_unfinished()
    assert [p.name for p in two.iterdir()] == ["3"]


def test_leftovers_of_a_killed_save_are_removed_and_the_step_can_be_saved_again(two):
    leftover = two / "7" / "state.orbax-checkpoint-tmp"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"x" * 100)
    save(two, 7)
    assert not leftover.exists()
    assert Checkpoints(two, 9).steps() == [3, 5, 7]
    verify(two / "7")


def test_when_no_checkpoint_is_intact_the_run_does_not_start_again_in_silence(two):
    for step in ("3", "5"):
        (two / step / "manifest.json").write_text("{}")
    told = []
    with pytest.raises(CgdmerError, match="none of its 2 checkpoints is intact"):
        Checkpoints(two, 9).restore_latest(new_state(), told.append)
    assert len(told) == 2


def test_an_empty_folder_has_nothing_to_restore(tmp_path):
    assert Checkpoints(tmp_path / "none", 9).restore_latest(new_state(), print) is None
    with pytest.raises(CgdmerError, match=r"no checkpoint of step 4; it has \[\]"):
        Checkpoints(tmp_path / "none", 9).restore(4, new_state())


def test_another_dtype_or_shape_is_refused_naming_the_array(saved):
    state = new_state()
    line = state.variables.params["line"]
    for changed, words in (
        ({"kernel": line["kernel"].astype(jnp.bfloat16)}, r"kernel.* is float32\[2, 1\].* needs bfloat16\[2, 1\]"),
        ({"kernel": jnp.zeros((3, 1))}, r"kernel.* is float32\[2, 1\].* needs float32\[3, 1\]"),
        ({"slope": line["kernel"]}, r"\['slope'\] is absent, this run needs float32"),
    ):
        params = {"line": {"bias": line["bias"], "kernel": line["kernel"]} | changed}
        like = state._replace(variables=state.variables._replace(params=params))
        with pytest.raises(CgdmerError, match=words) as caught:
            Checkpoints(saved, 9).restore(5, like)
        assert not isinstance(caught.value, DamagedCheckpoint)  # falling back to an older one would not help


def test_variables_alone_fit_a_run_with_another_optimiser(saved):
    state = new_state()
    like = state._replace(optimizer={"other": jnp.zeros(7)})
    variables = Checkpoints(saved, 9).restore_latest_variables(like, print)
    assert bytes_of(variables) == bytes_of(new_state().variables)
    smaller = like._replace(variables=state.variables._replace(state={}))
    with pytest.raises(CgdmerError, match="needs none of that name"):
        Checkpoints(saved, 9).restore_variables(5, smaller)


def test_the_last_two_and_the_best_are_kept(tmp_path):
    save(tmp_path, 1, 2, 3, 4, 5, 6, losses=[0.9, 0.3, float("nan"), 0.5, None, 0.4], keep_last=2)
    checkpoints = Checkpoints(tmp_path, 2)
    assert checkpoints.steps() == [2, 5, 6]
    assert checkpoints.best_step() == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2", "5", "6"]


def test_a_damaged_manifest_is_no_candidate_for_the_best_and_stops_no_pruning(tmp_path):
    save(tmp_path, 1, 2, losses=[0.1, 0.2])
    (tmp_path / "1" / "manifest.json").write_text("no json")
    save(tmp_path, 3, losses=[0.3], keep_last=1)
    assert Checkpoints(tmp_path, 1).steps() == [2, 3]


def test_later_steps_are_removed_when_a_run_goes_on_before_them(two):
    checkpoints = Checkpoints(two, 9)
    checkpoints.remove_after(3)
    assert checkpoints.steps() == [3]


def test_the_next_step_does_not_reach_into_a_save_under_way(tmp_path):
    large = jnp.arange(4_000_000, dtype=jnp.float32)
    like = new_state(3)._replace(optimizer={"large": large})
    expected = np.asarray(large).tobytes()
    donating = jax.jit(lambda state: state._replace(optimizer={"large": -state.optimizer["large"]}), donate_argnums=0)
    with Checkpoints(tmp_path, 9) as checkpoints:
        state = jax.tree.map(jnp.copy, like)
        checkpoints.save(state, None)
        for _ in range(20):
            state = donating(state)  # writes over the buffers that are being saved
        jax.block_until_ready(state)
    assert np.asarray(Checkpoints(tmp_path, 9).restore(3, like).optimizer["large"]).tobytes() == expected


class Refused:
    """Orbax's answer on a full disk."""

    def __init__(self, folder):
        (folder.parent / (folder.name + ".orbax-checkpoint-tmp")).mkdir()

    def result(self):
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device\n" + "a long TensorStore dump\n" * 50)


def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint_before_it_usable(two, monkeypatch):
    monkeypatch.setattr(checkpoint.ocp, "save_async", lambda folder, arrays: Refused(folder))
    checkpoints = Checkpoints(two, 9)
    checkpoints.save(new_state(8), None)
    with pytest.raises(CgdmerError, match="No space left on device") as caught:
        checkpoints.close()
    assert "\n" not in str(caught.value) and str(two / "8") in str(caught.value)
    assert not (two / "8").exists(), "what was half written would keep its space"
    assert restored_step(two, []) == 5


def test_a_disk_that_fills_up_under_way_is_told_once_and_leaves_the_checkpoint_before_it_usable(two, caplog):
    with files_of_at_most(200), Checkpoints(two, 9) as checkpoints:
        checkpoints.save(new_state(8), None)
        with pytest.raises(CgdmerError, match=r"/8 could not be written \(File too large\); the earlier ones"):
            checkpoints.wait()
    assert restored_step(two, []) == 5
    checkpoints.remove_unfinished()  # as the next start does: Orbax's threads may write after the save has failed
    assert not (two / "8").exists()
    assert not caplog.records, "Orbax's tracebacks before the sentence"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    checkpoints = Checkpoints(tmp_path / "file", 9)
    checkpoints.save(new_state(1), None)
    with pytest.raises(CgdmerError, match="could not be written"):
        checkpoints.wait()


def test_a_save_that_fails_is_told_and_counted_and_the_next_one_goes_well(two):
    told = []
    with Checkpoints(two, 9, told.append) as checkpoints:
        with files_of_at_most(200):
            checkpoints.save(new_state(7), None)
            checkpoints.save(new_state(8), None)
            with pytest.raises(CgdmerError, match="/8 could not"):
                checkpoints.wait()
        assert checkpoints.steps() == [3, 5]
        checkpoints.save(new_state(9), None)
    assert checkpoints.n_failed == 2 and [text.split(" could not")[0][-2:] for text in told] == ["/7", "/8"]
    assert restored_step(two, []) == 9
    checkpoints.remove_unfinished()  # as the next start does: Orbax's threads may write after the save has failed
    assert sorted(p.name for p in two.iterdir()) == ["3", "5", "9"]


def test_an_error_under_way_is_not_hidden_by_one_of_the_save(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.ocp, "save_async", lambda folder, arrays: Refused(folder))
    with pytest.raises(KeyError), Checkpoints(tmp_path, 9) as checkpoints:
        checkpoints.save(new_state(1), None)
        raise KeyError("the first error")


def test_the_manifest_lists_every_file_and_every_array(saved):
    written = json.loads((saved / "5" / "manifest.json").read_text())
    assert set(written["files"]) == {str(p.relative_to(saved / "5")) for p in files_of(saved / "5")}
    assert len(written["arrays"]) == len(jax.tree.leaves(new_state()))
    assert written["arrays"]["00000.step"] == [[], "int32"]


def with_another_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 64]) + content[middle + 1 :]


@pytest.mark.parametrize("spoil", [lambda content: b"", with_another_bit])
def test_arrays_that_are_not_those_of_a_manifest_with_right_hashes_are_named(two, spoil):
    data = [path for path in files_of(two / "5") if path.parent.name == "d"]
    for path in data:
        path.write_bytes(spoil(path.read_bytes()))
    fields = json.loads((two / "5" / "manifest.json").read_text())
    fields["files"] |= {str(path.relative_to(two / "5")): manifest.sha256_of(path) for path in data}
    fields["files"]["manifest.json"] = manifest.own_sha256(fields)
    (two / "5" / "manifest.json").write_text(json.dumps(fields))
    for read in (
        lambda: Checkpoints(two, 9).restore_latest(new_state(), print),
        lambda: Checkpoints(two, 9).restore_variables(None, new_state()),
    ):
        with pytest.raises(
            DamagedCheckpoint, match=r"5 does not hold the arrays of its manifest\.json .*; delete this"
        ):
            read()
    shutil.rmtree(two / "5")
    assert restored_step(two, []) == 3


def test_a_bare_exception_of_orbax_is_told_by_its_cause_and_another_fault_is_not_put_on_the_files(two, monkeypatch):
    def load(*_):
        try:
            raise ValueError("DATA_LOSS: chunk cannot be decoded")
        except ValueError as error:
            raise Exception("Encountered error while reading array index") from error  # as Orbax's serialization does

    def out_of_memory(*_):
        raise RuntimeError("RESOURCE_EXHAUSTED")

    monkeypatch.setattr(checkpoint.ocp, "load", load)
    with pytest.raises(DamagedCheckpoint, match="DATA_LOSS: chunk cannot be decoded"):
        Checkpoints(two, 9).restore(5, new_state())
    monkeypatch.setattr(checkpoint.ocp, "load", out_of_memory)
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        Checkpoints(two, 9).restore(5, new_state())


def test_a_folder_in_the_place_of_a_manifest_is_named_and_names_that_are_no_steps_are_none(two):
    (two / "\u00b2").mkdir()
    shutil.copy(two / "5" / "manifest.json", two / "\u00b2")
    (two / "5" / "manifest.json").unlink()
    (two / "5" / "manifest.json").mkdir()
    told = []
    assert restored_step(two, told) == 3 and "manifest.json is not a file" in told[0]
    with pytest.raises(DamagedCheckpoint, match=r"5/manifest\.json cannot be read"):
        Checkpoints(two, 9).restore_variables(None, new_state())
