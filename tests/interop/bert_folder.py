"""A folder with a two-block BERT, its tensors named by hand from the published files: no torch needed."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models

WIDTH, HIDDEN, VOCABULARY, POSITIONS = 8, 12, 20, 10
CONFIG = {
    "model_type": "bert",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": HIDDEN,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 2,
}


def bert_tensors() -> dict[str, np.ndarray]:
    shapes = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
        "pooler.dense.weight": (WIDTH, WIDTH),
        "pooler.dense.bias": (WIDTH,),
    }
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        for place, shape in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "attention.output.LayerNorm": (WIDTH,),
            "intermediate.dense": (HIDDEN, WIDTH),
            "output.dense": (WIDTH, HIDDEN),
            "output.LayerNorm": (WIDTH,),
        }.items():
            shapes |= {f"{layer}.{place}.weight": shape, f"{layer}.{place}.bias": shape[:1]}
    draw = np.random.default_rng(0)
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def word_tokenizer(n: int = VOCABULARY) -> Tokenizer:
    words = ["[PAD]", "[UNK]", "[MASK]", *(f"w{number}" for number in range(3, n))]
    return Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))


def write_bert(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text(word_tokenizer().to_str())
    save_file(bert_tensors(), folder / "model.safetensors")
    return folder


def change_config(folder: Path, **fields: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def rewrite_rows(folder: Path, n: int) -> None:
    """Token embeddings with n rows."""
    rows = np.random.default_rng(n).normal(size=(n, WIDTH)).astype(np.float32)
    tensors = bert_tensors() | {"embeddings.word_embeddings.weight": rows}
    save_file(tensors, folder / "model.safetensors")
