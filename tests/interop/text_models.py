"""Small random text encoders as transformers saves them, and both sides' answers to the same batch of texts."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models

VOCABULARY = 60
ROWS = VOCABULARY + 4  # hub models often have more embeddings than tokens
SIZES = {"2x32": {"depth": 2, "width": 32, "heads": 4}, "3x48": {"depth": 3, "width": 48, "heads": 3}}
LONGEST = {"bert": 24, "roberta": 24, "xlm-roberta": 24, "t5": 150, "t5 gated": 150}  # T5: beyond its furthest bucket
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def make_model(family: str, size: str) -> torch.nn.Module:
    """All parameters random, norms and biases too: what the library starts at 0 or 1 would hide mistakes."""
    dims = SIZES[size]
    torch.manual_seed(len(family) + dims["width"])
    model = (_t5 if family.startswith("t5") else _bert)(family, dims).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 1 if weight.ndim == 1 or "embed" in name or "shared" in name else weight.shape[1] ** -0.5)
            if weight.ndim == 1:
                weight.mul_(0.2).add_(0 if name.endswith("bias") else 1)
            if name.endswith("SelfAttention.q.weight"):  # as T5 starts: its scores are not scaled later
                weight.mul_(model.config.d_kv**-0.5)
    return model


def _bert(family: str, dims: dict) -> torch.nn.Module:
    kind = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta"}[family]
    first = 0 if family == "bert" else 2  # RoBERTa: positions count from pad id + 1
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=ROWS,
        hidden_size=dims["width"],
        num_hidden_layers=dims["depth"],
        num_attention_heads=dims["heads"],
        intermediate_size=2 * dims["width"] + 8,
        max_position_embeddings=LONGEST[family] + first,
        type_vocab_size=2 if family == "bert" else 1,
        pad_token_id=1,
    )
    return getattr(transformers, f"{kind}Model")(config)


def _t5(family: str, dims: dict) -> torch.nn.Module:
    config = transformers.T5Config(
        vocab_size=ROWS,
        d_model=dims["width"],
        num_layers=dims["depth"],
        num_heads=dims["heads"],
        d_kv=dims["width"] // dims["heads"] - 2,  # heads need not add up to the width
        d_ff=2 * dims["width"] + 8,
        feed_forward_proj="gated-gelu" if family == "t5 gated" else "relu",
    )
    return transformers.T5EncoderModel(config)


def save_model(folder: Path, family: str, size: str) -> torch.nn.Module:
    """Writes what a hub snapshot holds and returns the model."""
    model = make_model(family, size)
    model.save_pretrained(folder)  # safetensors
    first = ["<pad>", "<unk>"] if family.startswith("t5") else ["<unk>", "<pad>"]  # BERT types pad with 1 here
    words = {token: number for number, token in enumerate([*first, *(f"w{n}" for n in range(2, VOCABULARY))])}
    (folder / "tokenizer.json").write_text(Tokenizer(models.WordLevel(words, unk_token="<unk>")).to_str())
    return model


class Texts(NamedTuple):
    """One row a case: as long as the model allows, padded, one token."""

    tokens: np.ndarray
    length: np.ndarray
    types: np.ndarray | None


CASES = ("longest", "padded", "one token")


def make_texts(family: str) -> Texts:
    draw = np.random.default_rng(len(family))
    n = LONGEST[family]
    length = np.array([n, n // 2 - 1, 1], np.int32)
    live = np.arange(n) < length[:, None]
    tokens = np.where(live, draw.integers(2, ROWS, (3, n)), 0 if family.startswith("t5") else 1).astype(np.int32)
    types = draw.integers(0, 2, (3, n)).astype(np.int32) if family == "bert" else None
    return Texts(tokens, length, types)


def live_of(texts: Texts) -> np.ndarray:
    return np.arange(texts.tokens.shape[1]) < texts.length[:, None]


def theirs(model: torch.nn.Module, texts: Texts):
    """transformers' own output for these texts, their attention masked beyond the length."""
    more = {} if texts.types is None else {"token_type_ids": torch.tensor(texts.types).long()}
    mask = torch.tensor(live_of(texts)).long()
    return model(input_ids=torch.tensor(texts.tokens).long(), attention_mask=mask, **more)


def ours(module, params: dict, texts: Texts):
    """Our TextStates, traced in `params`."""
    more = () if texts.types is None else (jnp.asarray(texts.types),)
    return module.apply({"params": params}, jnp.asarray(texts.tokens), jnp.asarray(texts.length), *more)


def jitted(module, params: dict, texts: Texts):
    return jax.tree.map(lambda x: np.asarray(x, np.float32), jax.jit(lambda p: ours(module, p, texts))(params))


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference over the root mean square of what is expected."""
    expected = np.asarray(expected, np.float64)
    return float(np.abs(found - expected).max() / np.sqrt((expected**2).mean()))
