"""MERL's config fields, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool

from cgdmer_jax.config import one_of, setting
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods.merl.network import POOL_HEADS, ResNetSize, VitSize
from cgdmer_jax.models.ecg.scaling import MINMAX, SCALINGS
from cgdmer_jax.models.text.tower import POOLINGS
from cgdmer_jax.models.transformer import REMAT_POLICIES

NEGATIVES = "negatives"  # of same_text: as released, another record of the same report is pushed away
CHOICES = {
    "dtype": ("float32", "bfloat16"),
    "remat": REMAT_POLICIES,
    "scaling": (*SCALINGS, MINMAX),
    "text_pooling": POOLINGS,
    "same_text": ("ignored", NEGATIVES),
}


@dataclass(frozen=True)
class MerlConfig:
    """`config.method` of MERL: each field's default and meaning. Defaults are those of the released code."""

    ecg: ResNetSize | VitSize = setting(ResNetSize(64, (2, 2, 2, 2), False), "ECG encoder: a ResNet or a ViT")
    text_tower: str = setting("", "pretrained report encoder: a folder or hf://owner/name@revision")
    text_architecture: dict = setting({}, "architecture of that encoder; pretrain fills it in from its folder")
    text_trained: int = setting(0, "number of its last blocks that are trained; 0 = none, -1 = all of it")
    text_lr_multiplier: float = setting(1.0, "learning-rate multiplier of its trained parts")
    text_pooling: str = setting("pooler", f"from its tokens to one vector: {one_of(CHOICES['text_pooling'])}")
    scaling: str = setting("record_minmax", f"how millivolts are scaled: {one_of(CHOICES['scaling'])}")
    lead_dropout: float = setting(0.0, "share of the records that lose 1 to n-1 leads in a step")
    embed_dim: int = setting(256, "width of the aligned space, of the narrowed feature map and of the views")
    temperature: float = setting(0.07, "temperature of both terms, fixed")
    same_text: str = setting("negatives", f"other records of the same report: {one_of(CHOICES['same_text'])}")
    view_dropout: float = setting(0.1, "dropout that makes each of the two views of a recording")
    weight_align: float = setting(2.0, "weight of the contrast of recordings with reports, a mean of two directions")
    weight_views: float = setting(2.0, "weight of the contrast of two views of one recording, a mean of two directions")
    dtype: str = setting("float32", f"{one_of(CHOICES['dtype'])}: of activations and products")
    remat: str = setting("none", "what the backward pass of a ViT computes again: `none`, `full` blocks or `dots`")
    unroll: int = setting(1, "blocks in one turn of the scan over a ViT's layers")

    def __post_init__(self):
        for field, known in CHOICES.items():
            if (value := getattr(self, field)) not in known:
                raise CgdmerError(f'config.method.{field} is "{value}".{suggest(value, known)}')
        for field in ("lead_dropout", "view_dropout"):
            if not 0 <= getattr(self, field) < 1:
                raise CgdmerError(f"config.method.{field} is {getattr(self, field)}; give a share from 0, below 1")
        for field in ("temperature", "text_lr_multiplier"):
            if not getattr(self, field) > 0:
                raise CgdmerError(f"config.method.{field} is {getattr(self, field)}; give a number above 0")
        if not self.text_architecture:
            raise CgdmerError(
                f'MERL reads reports through a pretrained text encoder, and config.method.text_tower is "'
                f'{self.text_tower}"; give a folder or hf://owner/name@revision there, experiments.pretrain reads it'
            )
        if isinstance(self.ecg, ResNetSize) and self.embed_dim % POOL_HEADS:
            raise CgdmerError(
                f"config.method.embed_dim is {self.embed_dim}; give a multiple of the {POOL_HEADS} heads that pool it"
            )


class MerlDraws(NamedTuple):
    """Everything random in one step."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    keep1: Bool[Array, "batch embedding"]  # of the first view
    keep2: Bool[Array, "batch embedding"]
