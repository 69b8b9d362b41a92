"""A text encoder written as a folder is the same one to us and to transformers."""

import jax
import numpy as np
import pytest

torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

from cgdmer_jax.errors import CgdmerError  # noqa: E402
from cgdmer_jax.interop.huggingface import load_text_encoder  # noqa: E402
from cgdmer_jax.interop.text_architecture import weights_sha256  # noqa: E402
from cgdmer_jax.interop.text_folder import save_text_encoder  # noqa: E402
from tests.interop.text_models import make_texts, save_model, theirs  # noqa: E402


@pytest.mark.parametrize("family", ["bert", "roberta", "t5", "t5 gated"])
def test_what_is_written_is_read_back_equal_and_by_transformers(family, tmp_path):
    first = save_model(tmp_path / "first", family, "2x32")
    tower = load_text_encoder(tmp_path / "first")
    save_text_encoder(tmp_path / "second", tower.module, tower.params, tower.tokenizer, {"from": "first"})
    again = load_text_encoder(tmp_path / "second")
    assert again.module == tower.module
    jax.tree.map(np.testing.assert_array_equal, again.params, tower.params)
    assert weights_sha256(again.params) == weights_sha256(tower.params)
    assert again.tokenizer.to_str() == tower.tokenizer.to_str()
    kind = transformers.T5EncoderModel if family.startswith("t5") else transformers.AutoModel
    second, texts = kind.from_pretrained(tmp_path / "second").eval(), make_texts(family)
    with torch.no_grad():
        found, expected = (theirs(model, texts).last_hidden_state for model in (second, first))
    assert torch.equal(found, expected)
    with pytest.raises(CgdmerError, match="exists already"):
        save_text_encoder(tmp_path / "second", tower.module, tower.params, tower.tokenizer, {})


def test_one_changed_value_is_another_encoder(tmp_path):
    save_model(tmp_path / "first", "bert", "2x32")
    params = load_text_encoder(tmp_path / "first").params
    before = weights_sha256(params)
    params["blocks"]["up"]["bias"] = params["blocks"]["up"]["bias"] + np.float32(1e-3)
    assert weights_sha256(params) != before
