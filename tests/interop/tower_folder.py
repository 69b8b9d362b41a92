"""Whole text encoders that know the given texts, no torch: the small BERT of bert_folder.py, and a small T5."""

from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from cgdmer_jax.data.text.tokenizer import train_wordpiece
from cgdmer_jax.interop.text_folder import save_text_encoder
from cgdmer_jax.models.text.t5 import T5Encoder
from tests.interop.bert_folder import change_config, rewrite_rows, write_bert


def write_tower(folder: Path, texts: Sequence[str]) -> Path:
    """Texts of at most 10 tokens."""
    write_bert(folder)
    tokenizer = train_wordpiece(texts, 200)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    rewrite_rows(folder, tokenizer.get_vocab_size())
    change_config(folder, vocab_size=tokenizer.get_vocab_size())
    return folder


def without_pooler(folder: Path) -> Path:
    """That folder's BERT, as sentence encoders are often saved."""
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    save_file(kept, folder / "model.safetensors")
    return folder


def write_t5(folder: Path, words: Sequence[str]) -> Path:
    """Its tokenizer has sentinels and no mask token, as T5's."""
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *words, "<extra_id_0>"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    module = T5Encoder(
        vocabulary=len(vocabulary) + 28, width=8, depth=2, heads=2, head_width=4, hidden=12, activation="gelu_new",
        gated=True, buckets=8, max_distance=20, epsilon=1e-6,
    )  # fmt: skip
    params = module.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32), jnp.array([2]))["params"]
    save_text_encoder(folder, module, params, tokenizer, {})
    return folder
