"""Writes a text encoder as a folder that `load_text_encoder` and transformers read."""

import json
import os
from pathlib import Path

import jax
import numpy as np
from tokenizers import Tokenizer

from cgdmer_jax.data.text.special_tokens import PADDING, first_id
from cgdmer_jax.data.text.tokenizer import save_tokenizer
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.interop.model_folder import new_folder
from cgdmer_jax.interop.text_names import LAYER, their_name
from cgdmer_jax.interop.text_tensors import WEIGHTS
from cgdmer_jax.interop.weights import write_tensors
from cgdmer_jax.models.text.bert import BertEncoder
from cgdmer_jax.models.text.tower import TextModule
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.whole_file import sha256_of, write_whole

ORIGIN = "origin.json"
FILES = "files"  # its field with the sha256 of each other file; folders of earlier versions have none
REMEDY = "copy the encoder's folder again, or adapt the encoder again"


def save_text_encoder(folder: Path, module: TextModule, params: dict, tokenizer: Tokenizer, origin: dict) -> None:
    """config.json, tokenizer.json, model.safetensors and origin.json: whole or not at all; `params` of one stack.

    origin.json holds the hashes of the other files and its own.
    """
    with new_folder(folder) as part:
        write_tensors(part / WEIGHTS, named_tensors(module, params), metadata={"format": "pt"})
        (part / "config.json").write_text(json.dumps(config_of(module, first_id(tokenizer, PADDING)), indent=1) + "\n")
        save_tokenizer(tokenizer, part)
        files = {file.name: sha256_of(file) for file in sorted(part.iterdir())}
        write_whole(part / ORIGIN, json.dumps(sealed(origin | {FILES: files}), indent=1) + "\n")


def read_origin(folder: Path) -> dict[str, object] | None:
    """The origin that `save_text_encoder` recorded, its files verified; None for a folder of another program."""
    path = folder / ORIGIN
    if not path.is_file():
        return None
    origin = read_sealed(path, remedy=REMEDY)
    files = origin.pop(FILES, {})
    for name, sha256 in files.items() if isinstance(files, dict) else ():
        file = folder / name
        if not os.path.isfile(file):  # False, too, of a name that no disk takes
            raise CgdmerError(f"{file} is missing; {REMEDY}")
        if sha256_of(file) != sha256:
            refuse_pointer(file)
            raise CgdmerError(f"{file} differs from what was written (sha256); {REMEDY}")
    return origin


def named_tensors(module: TextModule, params: dict) -> dict[str, np.ndarray]:
    """Hugging Face's tensors, float32: the reverse of text_parameters.py."""
    tensors = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        place = jax.tree_util.keystr(path, simple=True, separator="/")
        name, leaf = their_name(module, place), np.asarray(leaf, np.float32)
        layers = enumerate(leaf) if LAYER in name else [(None, leaf)]
        for number, value in layers:
            full = name if number is None else name.format(layer=number)
            tensors[full] = np.ascontiguousarray(value.T if place.endswith("kernel") else value)
    return tensors


def config_of(module: TextModule, pad_id: int) -> dict[str, object]:
    """The config.json of that architecture."""
    return _bert(module, pad_id) if isinstance(module, BertEncoder) else _t5(module, pad_id)


def _bert(module: BertEncoder, pad_id: int) -> dict[str, object]:
    roberta = module.counted_from is not None
    return {
        "model_type": "roberta" if roberta else "bert",
        "architectures": ["RobertaModel" if roberta else "BertModel"],
        "vocab_size": module.vocabulary,
        "hidden_size": module.width,
        "num_hidden_layers": module.depth,
        "num_attention_heads": module.heads,
        "intermediate_size": module.hidden,
        "hidden_act": module.activation,
        "layer_norm_eps": module.epsilon,
        "max_position_embeddings": module.max_tokens + (module.counted_from + 1 if roberta else 0),
        "type_vocab_size": module.token_types,
        "pad_token_id": module.counted_from if roberta else pad_id,
    }


def _t5(module: TextModule, pad_id: int) -> dict[str, object]:
    activation = {"gelu_new": "gelu"}.get(module.activation, module.activation) if module.gated else module.activation
    return {
        "model_type": "t5",
        "architectures": ["T5EncoderModel"],
        "vocab_size": module.vocabulary,
        "d_model": module.width,
        "num_layers": module.depth,
        "num_heads": module.heads,
        "d_kv": module.head_width,
        "d_ff": module.hidden,
        "feed_forward_proj": f"gated-{activation}" if module.gated else activation,
        "relative_attention_num_buckets": module.buckets,
        "relative_attention_max_distance": module.max_distance,
        "layer_norm_epsilon": module.epsilon,
        "pad_token_id": pad_id,
    }
