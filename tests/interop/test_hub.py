"""The Hugging Face hub is asked by hf://owner/name@revision alone, for that revision and the named files."""

from pathlib import Path

import pytest

from cgdmer_jax import load
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.hub import FORM, local_folder
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.sklearn_features import EcgFeatures
from configs import cgdmer, merl
from tests.interop.bert_folder import write_bert

COMMIT = "0123456789" * 4


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Requests to the hub, which answers each with the folder "bert"."""
    calls = []

    def answer(repository, *, revision, allow_patterns):
        calls.append((repository, revision, allow_patterns))
        return str(tmp_path / "bert")

    monkeypatch.setattr("huggingface_hub.snapshot_download", answer)
    return calls


@pytest.mark.parametrize("name", ["models/quickstart", "owner/name@main", "hf:/owner/name@v1", "HF://owner/name@v1"])
@pytest.mark.parametrize("read", [load, load_text_encoder])
def test_a_name_that_is_no_folder_is_never_a_download(asked, read, name):
    with pytest.raises(CgdmerError, match="there is no"):
        read(name)
    assert not asked


def test_a_path_is_never_a_download(asked):
    with pytest.raises(CgdmerError, match="there is no"):
        load(Path("hf://owner/name@v1"))
    assert not asked


def test_a_missing_folder_named_as_on_the_hub_is_told_the_form_of_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CgdmerError, match=r"hub is meant, write hf://models/quickstart@REVISION"):
        load("models/quickstart")


@pytest.mark.parametrize("read", [load, load_text_encoder])
def test_a_misspelt_path_is_told_the_nearest_folder_and_no_hub(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/quickstart").mkdir(parents=True)
    for name, meant in (
        ("models/quikstart", "models/quickstart"),
        ("model/quickstart", "models/quickstart"),
        (f"{tmp_path}/models/quikstart", f"{tmp_path}/models/quickstart"),
        (Path("models/quikstart"), "models/quickstart"),
    ):
        with pytest.raises(CgdmerError, match=rf'there is no .*Did you mean "{meant}"\?$') as caught:
            read(name)
        assert "hf://models" not in str(caught.value)
    with pytest.raises(CgdmerError, match="there is no") as caught:
        read("models/of_somebody_else")
    assert "hf://models" not in str(caught.value) and "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("read", [load, load_text_encoder])
def test_what_is_no_path_a_file_and_a_run_folder_are_called_so(read, tmp_path):
    for name in (None, 3, "", b"models"):
        with pytest.raises(CgdmerError, match=r"the name of a model is .*, expected the path of a folder"):
            local_folder(name, "there is none")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CgdmerError, match=rf"config\.json is a file; give its folder, {tmp_path}$"):
        read(str(tmp_path / "config.json"))


def test_a_run_folder_is_told_how_it_becomes_a_model_folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CgdmerError, match=f"is a run folder; .*export_model --run={tmp_path} --out=MODEL"):
        load(tmp_path)


@pytest.mark.parametrize("address", ["hf://owner/name", "hf://owner/name@", "hf://name@v1", "hf://owner/name@a b"])
def test_an_address_without_a_revision_is_refused(asked, address):
    for read in (load, load_text_encoder, lambda name: EcgFeatures(name).fit([])):
        with pytest.raises(CgdmerError, match=f"is not of the form {FORM}; give the commit"):
            read(address)
    assert not asked


def test_the_revision_and_safetensors_alone_are_asked_for(asked, tmp_path):
    write_bert(tmp_path / "bert")
    tower = load_text_encoder(f"hf://owner/name@{COMMIT}")
    assert tower.facts.family == "bert"
    ((repository, revision, patterns),) = asked
    assert (repository, revision) == ("owner/name", COMMIT)
    assert {pattern.rpartition(".")[2] for pattern in patterns} == {"json", "safetensors"}


def test_a_failure_without_a_word_is_told_too(monkeypatch):
    def fail(*words, **more):
        raise OSError

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(CgdmerError, match=r"could not be fetched from the Hugging Face hub \(OSError: \); check"):
        load("hf://owner/name@v1")


def test_configs_name_a_commit():
    for config in (cgdmer.get_config("minilm"), merl.get_config()):
        name = config.method.text_tower
        assert name.startswith("hf://") and len(name.partition("@")[2]) == 40
