"""The folder of an adapted text encoder is compared with what was written; others are read as before."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_architecture import weights_sha256
from cgdmer_jax.interop.text_folder import read_origin, save_text_encoder
from cgdmer_jax.sealed_json import sealed
from tests.interop.bert_folder import write_bert

ORIGIN = {"adapted_from": "minilm", "reports_sha256": "ab" * 32}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("towers")
    tower = load_text_encoder(write_bert(folder / "bert"))
    before = os.umask(0o022)
    try:
        save_text_encoder(folder / "tower", tower.module, tower.params, tower.tokenizer, ORIGIN)
    finally:
        os.umask(before)
    return folder / "tower"


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "tower")


def test_every_file_is_readable_for_all_and_the_origin_comes_back(written):
    assert {oct(file.stat().st_mode & 0o777) for file in written.iterdir()} == {"0o644"}
    assert read_origin(written) == ORIGIN


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "origin.json"])
def test_one_flipped_bit_in_any_file_is_named(copy, name):
    content = bytearray((copy / name).read_bytes())
    place = content.index(b"minilm") if name == "origin.json" else len(content) // 2
    content[place] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(CgdmerError, match=rf"{name} differs from what was written \(sha256\)"):
        load_text_encoder(copy)


def test_a_missing_file_is_named(copy):
    (copy / "tokenizer.json").unlink()
    with pytest.raises(CgdmerError, match=r"tokenizer\.json"):
        load_text_encoder(copy)


def test_a_file_whose_name_no_disk_takes_is_missing(copy):
    (copy / "origin.json").write_text(json.dumps(sealed(ORIGIN | {"files": {"x" * 300: "ab" * 32}})))
    with pytest.raises(CgdmerError, match="is missing"):
        read_origin(copy)


def test_a_folder_of_an_earlier_version_is_the_same_encoder(copy, written):
    (copy / "origin.json").write_text(json.dumps(ORIGIN))
    assert read_origin(copy) == ORIGIN
    assert weights_sha256(load_text_encoder(copy).params) == weights_sha256(load_text_encoder(written).params)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_may_not_be_read_is_not_called_missing(tmp_path, monkeypatch, name):
    folder, opened = write_bert(tmp_path / "bert"), os.open

    def refused(path, *words, **more):
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *words, **more)

    monkeypatch.setattr(os, "open", refused)  # whoever runs the tests as root may read everything
    with pytest.raises(CgdmerError, match=rf"{name} cannot be read \(Permission denied\)"):
        load_text_encoder(folder)


def test_deep_nesting_is_one_sentence(tmp_path):
    folder = write_bert(tmp_path / "bert")
    (folder / "config.json").write_text('{"model_type": ' + "[" * 200_000 + "]" * 200_000 + "}")
    with pytest.raises(CgdmerError, match="nested more than"):
        load_text_encoder(folder)
