"""A torch file of tensors is read without running anything of it; else one sentence of ours, never torch's advice."""

import sys
import zipfile

import jax
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.torch_weights import read_state_dict
from tests.interop.bert_folder import bert_tensors, write_bert

NEEDS_TORCH = "a torch file is written and read with torch (the extra `torch`)"


@pytest.fixture
def folder(tmp_path):
    return write_bert(tmp_path / "bert")


def test_a_torch_file_without_torch_names_the_extra(folder, monkeypatch):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CgdmerError, match=r"pip install 'cgdmer_jax\[torch\]', or place model\.safetensors"):
        load_text_encoder(folder)


def test_a_text_encoder_s_torch_file_gives_the_parameters_of_its_safetensors_and_says_so(folder, capsys):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    plain = load_text_encoder(folder)
    (folder / "model.safetensors").unlink()
    torch.save({name: torch.tensor(tensor) for name, tensor in bert_tensors().items()}, folder / "pytorch_model.bin")
    jax.tree.map(np.testing.assert_array_equal, load_text_encoder(folder).params, plain.params)
    assert "read with torch (weights_only)" in capsys.readouterr().out


def damaged(torch) -> dict[str, bytes]:
    """Files that hold no tensors by name, or not whole ones."""
    import io

    def saved(value, **how) -> bytes:
        file = io.BytesIO()
        torch.save(value, file, **how)
        return file.getvalue()

    whole, old = saved({"a": torch.ones(9)}), saved({"a": torch.ones(9)}, _use_new_zipfile_serialization=False)
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), script)
    return {
        "empty": b"",
        "cut": whole[:200],
        "its end cut": whole[:-30],
        "old, cut": old[:-8],
        "a page": b"<html>not found</html>",
        "a text": b"hello",
        "objects": saved({"a": CgdmerError}),
        "a program": script.getvalue(),
    }


def read_as(read: str, file) -> None:
    load_text_encoder(file.parent) if read == "text encoder" else read_state_dict(file)


@pytest.mark.parametrize("read", ["text encoder", "merl"])
def test_parameters_are_read_as_their_numbers(read, folder):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    plain = load_text_encoder(folder).params
    (folder / "model.safetensors").unlink()
    tensors = {name: torch.nn.Parameter(torch.tensor(tensor)) for name, tensor in bert_tensors().items()}
    torch.save(tensors, folder / "pytorch_model.bin")
    if read == "text encoder":
        jax.tree.map(np.testing.assert_array_equal, load_text_encoder(folder).params, plain)
    else:
        found = read_state_dict(folder / "pytorch_model.bin")
        assert found.keys() == tensors.keys()
        for name, tensor in bert_tensors().items():
            np.testing.assert_array_equal(found[name], tensor)


@pytest.mark.parametrize("read", ["text encoder", "merl"])
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_tensors_that_are_no_plain_numbers_and_other_names_are_refused(read, folder):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    (folder / "model.safetensors").unlink()
    for value, words in (
        ({"a": torch.eye(3).to_sparse()}, "tensor a is sparse"),
        ({"a": torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8)}, "tensor a is sparse, quantized"),
        ({"a": torch.eye(3, device="meta")}, "tensor a is sparse, quantized or without values|holds more than tensors"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "tensor a holds complex numbers"),
        ({"a": torch.ones(1, dtype=torch.float16).expand(10**13)}, "tensor a has 10,000,000,000,000 numbers, more"),
        ({1: torch.ones(2)}, "holds no state dict"),
        ({"a": 1.0}, "holds no state dict"),
    ):
        torch.save(value, folder / "pytorch_model.bin")
        with pytest.raises(CgdmerError, match=words):
            read_as(read, folder / "pytorch_model.bin")


@pytest.mark.filterwarnings("ignore")  # torch's own
def test_a_file_that_unpacks_into_more_than_it_has_is_refused_before_it_does(folder):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    whole, packed = folder / "whole.pth", folder / "packed.pth"
    torch.save({"a": torch.zeros(100_000)}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
    with pytest.raises(CgdmerError, match="is cut, or holds more than tensors"):
        read_state_dict(packed)


@pytest.mark.parametrize("how", ["zip", "legacy"])
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_whatever_a_flipped_byte_makes_torch_raise_is_the_same_sentence(how, tmp_path):
    """AssertionError, TypeError and struct.error among others; what still is a file of tensors is read."""
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    file = tmp_path / "w.pth"
    tensors = {"a.weight": torch.ones(3, 2), "b": torch.arange(3)}
    torch.save(tensors, file, _use_new_zipfile_serialization=how == "zip")
    content, draw, refused = file.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        spoilt = bytearray(content)
        spoilt[draw.integers(len(spoilt))] = draw.integers(256)
        file.write_bytes(spoilt)
        try:
            read_state_dict(file)
        except CgdmerError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 50


@pytest.mark.parametrize("read", ["text encoder", "merl"])
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_what_torch_cannot_read_as_tensors_is_told_in_our_words(read, folder):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    for kind, content in damaged(torch).items():
        file.write_bytes(content)
        with pytest.raises(CgdmerError, match=r"pytorch_model\.bin is cut, or holds more than tensors") as caught:
            read_as(read, file)
        told = str(caught.value)
        assert "weights_only" not in told and "\n" not in told and len(told) < 300, kind
        assert caught.value.__cause__ is None and caught.value.__suppress_context__, kind  # nor in a traceback
