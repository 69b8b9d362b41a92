"""Names and layout that MERL's released code gives the tensors of our MERL network."""

import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cgdmer_jax.waveform.conditioning import LEADS

LAYER = "{layer}"  # in a name: one tensor a block, stacked here on axis 0
TOWER = "lm_model."  # before the names of the text tower
# MIMIC-IV-ECG's own order, which the released weights were trained on: aVF before aVL.
THEIR_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
# A ten-way head that no loss ever reached, and torch's counts of batches.
COUNTER = ".num_batches_tracked"
UNUSED = re.compile(rf"^ecg_encoder\.linear\.(weight|bias)$|{re.escape(COUNTER)}$")

_ENDS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
_MODULES = {
    "encoder/stem": "ecg_encoder.conv1",
    "encoder/stem_norm": "ecg_encoder.bn1",
    "down": "downconv",
    "pool/mix": "att_pool_head.mhsa.out_proj",
    "pool/out": "att_pool_head.c_proj",
    "encoder/patch": "ecg_encoder.to_patch_embedding",
    "encoder/norm": "ecg_encoder.norm",
    "encoder/blocks/norm_attention": "ecg_encoder.block{layer}.attn.norm",
    "encoder/blocks/attention/out": "ecg_encoder.block{layer}.attn.fn.to_out.0",
    "encoder/blocks/norm_mlp": "ecg_encoder.block{layer}.ff.norm",
    "encoder/blocks/up": "ecg_encoder.block{layer}.ff.fn.net.0",
    "encoder/blocks/down": "ecg_encoder.block{layer}.ff.fn.net.3",
    "projector/linear1": "proj_e.0",
    "projector/norm1": "proj_e.1",
    "projector/linear2": "proj_e.3",
    "projector/norm2": "proj_e.4",
    "view1": "linear1",
    "view2": "linear2",
    "text_hidden": "proj_t.0",
    "text_out": "proj_t.2",
}
_TABLES = {
    "encoder/position": "ecg_encoder.pos_embedding",
    "pool/position": "att_pool_head.positional_embedding",
    "pool/query": "att_pool_head.cls_token",
}
# Query, key and value lie one below the other in one tensor there.
_THIRDS = {
    "pool/to_query": ("att_pool_head.mhsa.in_proj_", 0),
    "pool/to_key": ("att_pool_head.mhsa.in_proj_", 1),
    "pool/to_value": ("att_pool_head.mhsa.in_proj_", 2),
    "encoder/blocks/attention/query": ("ecg_encoder.block{layer}.attn.fn.to_qkv.", 0),
    "encoder/blocks/attention/key": ("ecg_encoder.block{layer}.attn.fn.to_qkv.", 1),
    "encoder/blocks/attention/value": ("ecg_encoder.block{layer}.attn.fn.to_qkv.", 2),
}
_STAGE = re.compile(r"encoder/stage(\d)_block(\d+)/(.+)")
_IN_STAGE = {"shortcut": "shortcut.0", "shortcut_norm": "shortcut.1"}  # others: conv1 -> conv1, norm1 -> bn1


class Theirs(NamedTuple):
    """Place of one of our arrays there: the tensor's name (LAYER for a stack), which third of it, its shape."""

    name: str
    third: int | None
    shape: tuple[int, ...]  # of the tensor that the name says, one of a stack


def theirs(place: str, shape: tuple[int, ...]) -> Theirs:
    """The place of our parameter or statistic at `place` ("encoder/stem/kernel")."""
    if place in _TABLES:
        whole = (1, *shape) if len(shape) == 2 else (1, 1, *shape)
        return Theirs(_TABLES[place], None, whole)
    owner, _, end = place.rpartition("/")
    third = None
    if owner in _THIRDS:
        module, third = _THIRDS[owner]
        name = module + _ENDS[end]
    elif stage := _STAGE.fullmatch(owner):
        number, block, inner = stage.groups()
        inner = _IN_STAGE[inner] if inner in _IN_STAGE else inner.replace("norm", "bn")
        name = f"ecg_encoder.layer{number}.{block}.{inner}.{_ENDS[end]}"
    else:
        name = f"{_MODULES[owner]}.{_ENDS[end]}"
    each = shape[1:] if LAYER in name else shape
    turned = each[::-1] if end == "kernel" else each  # [samples, in, out] is [out, in, samples] there
    if owner == "down" and end == "kernel":
        turned = (*turned, 1)
    return Theirs(name, third, turned if third is None else (3 * turned[0], *turned[1:]))


def ours(place: str, tensor: Float[np.ndarray, "..."], third: int | None) -> Float[np.ndarray, "..."]:
    """Their tensor (one of a stack) as our array."""
    if place in _TABLES:
        return tensor[0] if place.endswith("position") else tensor[0, 0]
    if third is not None:
        tensor = np.split(tensor, 3)[third]
    if place == "down/kernel":
        tensor = tensor[..., 0]
    if place.endswith("/kernel"):
        tensor = tensor.T
    if place in ("encoder/stem/kernel", "encoder/patch/kernel"):
        tensor = tensor[:, [THEIR_LEADS.index(lead) for lead in LEADS]]
    return np.ascontiguousarray(tensor)
