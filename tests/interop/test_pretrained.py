"""The model folder: what goes in comes out to the bit, and what is not exactly that is refused by name."""

import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import cgdmer_jax
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import FILES, load, save_model


@pytest.fixture
def copy(model, tmp_path):
    return shutil.copytree(model, tmp_path / "copy")


def change_weights(folder, change):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def test_the_folder_holds_the_five_named_files_and_nothing_else(model):
    assert sorted(file.name for file in model.iterdir()) == sorted([*FILES, "README.md"])


def test_the_weights_come_back_to_the_bit(model, exported):
    ours = load_file(model / "model.safetensors")
    leaves = jax.tree_util.tree_leaves_with_path(exported["variables"].params)
    assert len(ours) == len(leaves)
    for path, leaf in leaves:
        name = "params/" + "/".join(key.key for key in path)
        assert ours[name].tobytes() == np.asarray(leaf).tobytes()


def test_load_of_the_package_gives_the_same_encoder(model, recordings_mv):
    ours, theirs = (
        one.embed(recordings_mv, 500, load(model).contract.leads, "mV")
        for one in (load(model), cgdmer_jax.load(str(model)))
    )
    np.testing.assert_array_equal(ours, theirs)


def test_a_folder_that_exists_is_never_written_over(model, exported):
    with pytest.raises(CgdmerError, match="exists already"):
        save_model(model, **exported)


def test_an_export_that_fails_leaves_no_folder(exported, tmp_path):
    with pytest.raises(TypeError):
        save_model(tmp_path / "m", **exported | {"origin": {"run": object()}})
    assert not (tmp_path / "m").exists()


def rename(tensors):
    tensors["params/other"] = tensors.pop("params/log_inverse_temperature")


def narrow(tensors):
    tensors["params/log_inverse_temperature"] = tensors["params/log_inverse_temperature"].astype(np.float16)


def reshape(tensors):
    tensors["params/log_inverse_temperature"] = tensors["params/log_inverse_temperature"].reshape(1)


def alter(tensors):
    tensors["params/log_inverse_temperature"] = np.asarray(tensors["params/log_inverse_temperature"] + 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename, "log_inverse_temperature is missing; params/other is not known"),
        (narrow, r"log_inverse_temperature is F16\[\], expected F32\[\]"),
        (reshape, r"log_inverse_temperature is F32\[1\], expected F32\[\]"),
        (alter, "differs from what was exported"),
        (dict.clear, "is missing; .* and [0-9]+ more"),
    ],
)
def test_weights_that_are_not_the_exported_ones_are_refused_by_name(copy, change, words):
    change_weights(copy, change)
    with pytest.raises(CgdmerError, match=words):
        load(copy)


def test_cut_weights_are_refused(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(CgdmerError, match="cannot be read"):
        load(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(CgdmerError, match=f"has no {name}"):
        load(copy)


def test_another_tokenizer_is_refused(copy):
    file = copy / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["sinusitis"] = vocabulary.pop(max(vocabulary, key=vocabulary.get))
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(CgdmerError, match="not the tokenizer of this model"):
        load(copy)


def test_a_truncated_tokenizer_is_refused(copy):
    file = copy / "tokenizer.json"
    file.write_text(file.read_text()[:-40])
    with pytest.raises(CgdmerError, match=r"tokenizer\.json is no tokenizer that can be read"):
        load(copy)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format_version": 9}, "has format version 9, this program reads 1"),
        ({"surprise": 1}, "differs in the field surprise"),
        ({"method_name": "cgdmr"}, "differs from what was exported"),
        ({"max_tokens": "36"}, "differs from what was exported"),
    ],
)
def test_a_config_of_another_kind_is_refused(copy, fields, words):
    file = copy / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    with pytest.raises(CgdmerError, match=words):
        load(copy)


@pytest.mark.parametrize("field", ["filter", "scaling", "cleaning_version"])
def test_an_input_contract_that_is_not_the_exported_one_is_refused(copy, field):
    file = copy / "input.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: "other"}))
    with pytest.raises(CgdmerError, match=r"input\.json differs from what was exported"):
        load(copy)


def test_loading_imports_neither_optax_nor_orbax_nor_the_training_room(model, tmp_path):
    code = (
        "import sys, cgdmer_jax; assert 'jax' not in sys.modules\n"
        f"cgdmer_jax.load({str(model)!r})\n"
        "found = [m for m in sys.modules if m.split('.')[0] in ('optax', 'orbax', 'torch', 'transformers') "
        "or m.startswith('cgdmer_jax.training')]\n"
        "sys.exit(' '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
