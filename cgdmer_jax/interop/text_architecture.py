"""The description of a pretrained text encoder that a run keeps, so that its folder is not needed again."""

import hashlib

import jax
import numpy as np

from cgdmer_jax.data.text.special_tokens import MASK, first_id, special_token_ids
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import TextTower
from cgdmer_jax.models.text.tower import describe


def architecture_of(tower: TextTower) -> dict[str, object]:
    """Plain values: the encoder's sizes, its tokenizer's marks, and which weights it starts from."""
    mask = first_id(tower.tokenizer, MASK)
    if mask is None:
        raise CgdmerError(f"the tokenizer has none of the tokens {', '.join(MASK)}; no word can be masked with it")
    return describe(tower.module) | {
        "mask_id": mask,
        "special_ids": list(special_token_ids(tower.tokenizer)),
        "weights_sha256": weights_sha256(tower.params),
    }


def weights_sha256(params: dict) -> str:
    """Hash of every parameter's name and values (float32), however the files divide them."""
    digest = hashlib.sha256()
    for path, leaf in sorted(
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    ):
        digest.update(path.encode() + b"\0")
        digest.update(np.ascontiguousarray(leaf, "<f4").data)
    return digest.hexdigest()
