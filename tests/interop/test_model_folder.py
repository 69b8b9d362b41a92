"""A model's folder is whole or absent, whoever else writes it and however full the disk is."""

import os

import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.model_folder import new_folder
from cgdmer_jax.interop.pretrained import save_model
from cgdmer_jax.interop.weights import write_tensors
from cgdmer_jax.whole_file import UNFINISHED
from tests.full_disk import files_of_at_most


def test_a_folder_is_there_when_its_block_ends_and_not_before(tmp_path):
    with new_folder(tmp_path / "new" / "a") as part:
        (part / "x").write_text("1")
        assert os.listdir(tmp_path / "new") == [part.name] and part.name.endswith(UNFINISHED)
    assert os.listdir(tmp_path / "new") == ["a"] and os.listdir(tmp_path / "new/a") == ["x"]
    with pytest.raises(CgdmerError, match="exists already; name a new folder"), new_folder(tmp_path / "new/a"):
        pytest.fail("the block must not be entered")


def test_a_disk_that_fills_up_leaves_no_folder(tmp_path):
    with pytest.raises(OSError, match="File too large") as caught:
        with files_of_at_most(100), new_folder(tmp_path / "a") as part:
            (part / "x").write_text("1" * 1000)
    assert caught.value.filename == str(tmp_path / "a") and os.listdir(tmp_path) == []


@pytest.mark.parametrize("empty", [True, False])
def test_the_first_of_two_that_write_one_folder_has_it(tmp_path, empty):
    with pytest.raises(CgdmerError, match="was written by another program in the meantime"):
        with new_folder(tmp_path / "a") as part:
            (part / "x").write_text("second")
            with new_folder(tmp_path / "a") as other:
                if not empty:
                    (other / "x").write_text("first")
    assert os.listdir(tmp_path) == ["a"]
    assert [file.read_text() for file in (tmp_path / "a").iterdir()] == ([] if empty else ["first"])


def test_weights_on_a_full_disk_are_an_error_of_the_system_that_names_the_file(tmp_path):
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large") as caught:
        write_tensors(tmp_path / "w.safetensors", {"a": np.zeros(1000)})
    assert caught.value.filename == str(tmp_path / "w.safetensors")


def test_an_export_on_a_full_disk_leaves_nothing(exported, tmp_path):
    with files_of_at_most(5000), pytest.raises(OSError, match="File too large") as caught:
        save_model(tmp_path / "model", **exported)
    assert caught.value.filename == str(tmp_path / "model") and os.listdir(tmp_path) == []
