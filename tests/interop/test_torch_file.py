"""A torch file of tensors is read without running anything of it; else one sentence of ours, never torch's advice."""

import sys

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
        "a pointer of git-lfs": b"version https://git-lfs.github.com/spec/v1\n",
        "objects": saved({"a": CgdmerError}),
        "a program": script.getvalue(),
    }


@pytest.mark.parametrize("read", ["text encoder", "merl"])
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_what_torch_cannot_read_as_tensors_is_told_in_our_words(read, folder):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    for kind, content in damaged(torch).items():
        file.write_bytes(content)
        with pytest.raises(CgdmerError, match=r"pytorch_model\.bin is cut, or holds more than tensors") as caught:
            load_text_encoder(folder) if read == "text encoder" else read_state_dict(file)
        told = str(caught.value)
        assert "weights_only" not in told and "\n" not in told and len(told) < 300, kind
        assert caught.value.__cause__ is None and caught.value.__suppress_context__, kind  # nor in a traceback
