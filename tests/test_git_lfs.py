"""A Git LFS pointer in the place of a file is told as such, whatever reads the file."""

import pytest

from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.tables.table import read_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.git_lfs import POINTER, is_pointer, refuse_pointer
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.interop.text_tensors import open_tensors
from cgdmer_jax.json_file import read_json
from cgdmer_jax.npz_file import read_arrays
from tests.data.small_stores import write_store
from tests.interop.small_model import write_small_model

CONTENT = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 200000\n"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("config.json", lambda path: read_json(path, remedy="copy it again")),
        ("table.csv", lambda path: read_table(path, ("a",), "restore it")),
        ("arrays.npz", lambda path: read_arrays(path, remedy="copy it again")),
        ("model.safetensors", lambda path: open_tensors(path.parent)),
        ("pytorch_model.bin", lambda path: open_tensors(path.parent)),
    ],
)
def test_a_pointer_is_refused_by_its_name(tmp_path, name, read):
    (tmp_path / name).write_text(CONTENT)
    with pytest.raises(CgdmerError, match=f"^{tmp_path / name} {POINTER}$"):
        read(tmp_path / name)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("made") / "model")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "input.json", "tokenizer.json"])
def test_a_model_folder_that_git_has_not_fetched_is_refused_by_the_file(model, name):
    content = (model / name).read_bytes()
    (model / name).write_text(CONTENT)
    with pytest.raises(CgdmerError, match=f"{name} {POINTER}"):
        load(model)
    (model / name).write_bytes(content)


@pytest.mark.parametrize("name", ["dataset.json", "records.parquet", "signal/c/0/0/0"])
def test_a_store_that_git_has_not_fetched_is_refused_by_the_file(tmp_path, name):
    write_store(tmp_path / "store", ["sinus rhythm"] * 4)
    (tmp_path / "store" / name).write_text(CONTENT)
    with pytest.raises(CgdmerError, match=f"{name} {POINTER}"):
        open_store(tmp_path / "store")


def test_other_files_are_not_taken_for_pointers(tmp_path):
    (tmp_path / "a").write_text("version 2")
    refuse_pointer(tmp_path / "a")
    refuse_pointer(tmp_path)  # a folder
    refuse_pointer(tmp_path / "nothing")
    assert not is_pointer(b"version") and is_pointer(CONTENT.encode())
