"""The model folder: what goes in comes out to the bit, and what is not exactly that is refused by name."""

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import cgdmer_jax
from cgdmer_jax.contract import TrainedOn, patient_sha256, without_patients
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import FILES, load, save_model
from cgdmer_jax.json_file import own_sha256
from tests.interop.small_model import reseal


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename, "log_inverse_temperature is missing; params/other is not known"),
        (narrow, r"log_inverse_temperature is F16\[\], expected F32\[\]"),
        (reshape, r"log_inverse_temperature is F32\[1\], expected F32\[\]"),
        (dict.clear, "is missing; .* and [0-9]+ more"),
    ],
)
def test_weights_that_do_not_fit_the_config_are_refused_by_name(copy, change, words):
    change_weights(copy, change)
    with pytest.raises(CgdmerError, match=r"model\.safetensors differs from what was exported \(sha256\)"):
        load(copy)
    reseal(copy)
    with pytest.raises(CgdmerError, match=words):
        load(copy)


def test_cut_weights_are_refused(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(CgdmerError, match="differs from what was exported"):
        load(copy)
    reseal(copy)
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
    with pytest.raises(CgdmerError, match=r"tokenizer\.json differs from what was exported"):
        load(copy)
    reseal(copy)
    with pytest.raises(CgdmerError, match="not the tokenizer of this model"):
        load(copy)


def test_a_truncated_tokenizer_is_refused(copy):
    file = copy / "tokenizer.json"
    file.write_text(file.read_text()[:-40])
    reseal(copy)
    with pytest.raises(CgdmerError, match=r"tokenizer\.json is no tokenizer that can be read"):
        load(copy)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format_version": 9}, "has format version 9, this program reads 1, 2, 3"),
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


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format_version": "2"}, "has format version '2'"),
        ({"max_tokens": "36"}, r"config\.json: max_tokens is '36', expected a whole number from 1 to 1,048,576; copy"),
        ({"max_tokens": 0}, "max_tokens is 0, expected a whole number from 1 to"),
        ({"max_tokens": 10**12}, "max_tokens is 1000000000000, expected a whole number from 1 to"),
        ({"method": []}, r"method is \[\], expected named values"),
        ({"method": {"ecg": 5}}, r"config\.json: method\.\w+ is missing; copy"),
        ({"method_name": "cgdmr"}, 'Did you mean "cgdmer"'),
    ],
)
def test_a_config_of_wrong_types_is_refused_even_with_the_right_hash(copy, fields, words):
    reseal(copy, **fields)
    with pytest.raises(CgdmerError, match=words):
        load(copy)


def test_a_field_of_the_method_of_a_wrong_type_is_refused_by_name(copy):
    method = json.loads((copy / "config.json").read_text())["method"]
    for changed, words in (
        (
            {"embed_dim": "12"},
            r"config\.json: method\.embed_dim is '12', expected a whole number from 1 to 65,536; copy",
        ),
        ({"ecg": 5}, r"config\.json: method\.ecg is 5, expected the fields of Size; copy"),
        (
            {"second": {"width": 8, "depth": 1, "heads": 3}},
            r"config\.json: method: config\.method\.second has 3 heads, which do not divide its width 8; .*; copy",
        ),
        ({"second": 0}, r"config\.json: method\.second is 0, expected the fields of Size; copy"),
        ({"stem": -1}, r"config\.json: method\.stem is -1, expected `linear` or `conv`; copy"),
        ({"temperature": 0}, r"config\.json: method\.temperature is 0, expected a number above 0; copy"),
        ({"unroll": "x"}, r"config\.json: method\.unroll is 'x', expected a whole number from 1 to 1,024; copy"),
        ({"mask_ratio": True}, r"config\.json: method\.mask_ratio is True, expected a number above 0, below 1; copy"),
    ):
        reseal(copy, method=method | changed)
        with pytest.raises(CgdmerError, match=words):
            load(copy)


@pytest.mark.parametrize("name", ["config.json", "input.json"])
def test_deep_nesting_is_one_sentence(copy, name):
    (copy / name).write_text("[" * 200_000 + "]" * 200_000)
    if name != "config.json":
        reseal(copy)
    with pytest.raises(CgdmerError, match="nested more than"):
        load(copy)


def test_a_card_that_differs_is_told_and_may_be_absent(copy):
    card = copy / "README.md"
    card.write_text(card.read_text() + "AUROC 1.0")
    with pytest.warns(UserWarning, match=r"README\.md differs from what was exported .* may not be those"):
        load(copy)
    card.unlink()
    load(copy)


def test_a_folder_of_version_1_loads_with_the_same_values(copy, model, recordings_mv):
    """As commit b09bd52 wrote it: no hashes of tokenizer and card, patients' hashes and no count in input.json."""
    contract = json.loads((copy / "input.json").read_text())
    for store in contract["trained_on"]:
        del store["n_patients"], store["patient_hmac_sha256"]
        store["patient_sha256"] = ["ef" * 32, "01" * 32]
    (copy / "input.json").write_text(json.dumps(contract))
    reseal(copy)
    config = json.loads((copy / "config.json").read_text()) | {"format_version": 1}
    del config["tokenizer_sha256"], config["card_sha256"]
    config["config_sha256"] = own_sha256(config, "config_sha256")
    (copy / "config.json").write_text(json.dumps(config))
    ours, theirs = load(model), load(copy)
    assert theirs.contract.trained_on[0].n_patients == 2
    args = (recordings_mv, 500, ours.contract.leads, "mV")
    np.testing.assert_array_equal(ours.embed(*args), theirs.embed(*args))


def test_every_file_is_as_readable_as_the_umask_allows(exported, tmp_path):
    before = os.umask(0o027)
    try:
        save_model(tmp_path / "m", **exported)
    finally:
        os.umask(before)
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in (tmp_path / "m").iterdir()} == dict.fromkeys(
        [*FILES, "README.md"], "0o640"
    )


@pytest.mark.parametrize("name", [*FILES, "README.md"])
def test_a_file_that_may_not_be_read_is_not_called_missing(copy, name, monkeypatch):
    opened = os.open

    def refused(path, *words, **more):
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *words, **more)

    monkeypatch.setattr(os, "open", refused)  # whoever runs the tests as root may read everything
    with pytest.raises(CgdmerError, match=rf"{name} cannot be read \(Permission denied\)"):
        load(copy)


def test_keyed_hashes_of_patients_are_compared_by_the_owner_of_the_key_alone(exported, tmp_path):
    key = b"a secret of 16 by"
    patients = ["ptbxl:7", "ptbxl:8"]
    store = TrainedOn("ptbxl", "f" * 64, tuple(map(patient_sha256, patients)), ())
    contract = replace(exported["contract"], trained_on=(store,))
    save_model(tmp_path / "m", **exported | {"contract": without_patients(contract, key)})
    encoder = load(tmp_path / "m")
    (part,) = encoder.contract.trained_on
    first = hashlib.sha256(b"ptbxl:7").hexdigest()
    assert hmac.new(key, first.encode(), "sha256").hexdigest() in part.patient_hmac_sha256
    assert part.n_patients == 2 and first not in (tmp_path / "m/input.json").read_text()
    asked = ["ptbxl:7", "ptbxl:9", "ptbxl:8", "7"]
    assert encoder.was_trained_on_patient(asked, key).tolist() == [True, False, True, False]
    assert not encoder.was_trained_on_patient(asked, b"another secret of").any()
    save_model(tmp_path / "n", **exported | {"contract": without_patients(contract, None)})
    with pytest.raises(CgdmerError, match="no hashes of patients to compare with; export it with --patient_key"):
        load(tmp_path / "n").was_trained_on_patient(asked, key)
    more = TrainedOn("hospital", "e" * 64, (patient_sha256("hospital:1"),), ())
    both = replace(without_patients(contract, key), trained_on=(more, *without_patients(contract, key).trained_on))
    assert without_patients(both, b"another secret of").trained_on[1] == part  # keyed before, by somebody else
    save_model(tmp_path / "o", **exported | {"contract": without_patients(both, None)})
    fitted = load(tmp_path / "o")
    assert fitted.was_trained_on_patient(asked, key).tolist() == [True, False, True, False]
    with pytest.raises(CgdmerError, match="was trained on patients of hospital and has no hashes of them"):
        fitted.was_trained_on_patient(["hospital:1"], key)
    for given, words in ((asked[0], "patients is a str, expected several"), ({*asked}, "patients is a set")):
        with pytest.raises(CgdmerError, match=words):
            encoder.was_trained_on_patient(given, key)


@pytest.mark.parametrize("field", ["filter", "scaling", "cleaning_version"])
def test_an_input_contract_that_is_not_the_exported_one_is_refused(copy, field):
    file = copy / "input.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: "other"}))
    with pytest.raises(CgdmerError, match=r"input\.json differs from what was exported"):
        load(copy)


# Packages that a model in use does not import; README's small install lacks most of them, flax brings some.
NOT_IN_USE = {
    *("chex", "h5py", "huggingface_hub", "ml_collections", "optax", "orbax", "pandas", "pyarrow", "sklearn"),
    *("soundfile", "tensorstore", "threadpoolctl", "tqdm", "transformers", "wfdb", "torch"),
}


def test_a_model_in_use_needs_no_package_that_is_for_training_or_for_reading_files(model, tmp_path):
    code = (
        "import sys, numpy, cgdmer_jax; assert 'jax' not in sys.modules\n"
        f"encoder = cgdmer_jax.load({str(model)!r})\n"
        "about = {'rate': 500, 'leads': ['II'], 'unit': 'mV'}\n"
        "signal = numpy.random.default_rng(0).normal(0, 0.2, 5000)\n"
        "encoder.embed(signal, **about); encoder.zero_shot(signal, {'SR': 'sinus rhythm'}, **about)\n"
        f"found = [m for m in sys.modules if m.split('.')[0] in {NOT_IN_USE} or m.startswith('cgdmer_jax.training')]\n"
        "sys.exit(' '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
