"""What a config file says of MERL, and what one of its steps draws."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool

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
    """What a config file says of the method; every field is named there."""

    ecg: ResNetSize | VitSize
    text_tower: str  # the pretrained text encoder: a folder or hf://owner/name@revision
    text_architecture: dict  # what that folder says of it; experiments.pretrain fills it in
    text_trained: int  # its last so many blocks are trained; 0 = none, as released, -1 = all of it
    text_rate: float  # learning-rate factor of its trained parts
    text_pooling: str  # from its tokens to one vector, one of models/text_tower.py POOLINGS
    scaling: str  # one of models/scaling.py SCALINGS, or `record_minmax` as released
    lead_dropout: float  # share of the records that lose 1..n-1 leads in a step; 0 as released
    embedding: int  # width of the aligned space, of the narrowed feature map and of the views
    temperature: float  # fixed, of both terms
    same_text: str  # other records of the same report: `negatives` as released, or `ignored`
    view_dropout: float  # of each view
    weight_align: float  # recordings and reports
    weight_views: float  # two views of one recording
    dtype: str
    remat: str  # of a ViT's blocks
    unroll: int

    def __post_init__(self):
        for field, known in CHOICES.items():
            if (value := getattr(self, field)) not in known:
                raise CgdmerError(f'config.method.{field} is "{value}".{suggest(value, known)}')
        for field in ("lead_dropout", "view_dropout"):
            if not 0 <= getattr(self, field) < 1:
                raise CgdmerError(f"config.method.{field} is {getattr(self, field)}; give a share from 0, below 1")
        for field in ("temperature", "text_rate"):
            if not getattr(self, field) > 0:
                raise CgdmerError(f"config.method.{field} is {getattr(self, field)}; give a number above 0")
        if not self.text_architecture:
            raise CgdmerError(
                f'MERL reads reports through a pretrained text encoder, and config.method.text_tower is "'
                f'{self.text_tower}"; give a folder or hf://owner/name@revision there, experiments.pretrain reads it'
            )
        if isinstance(self.ecg, ResNetSize) and self.embedding % POOL_HEADS:
            raise CgdmerError(
                f"config.method.embedding is {self.embedding}; give a multiple of the {POOL_HEADS} heads that pool it"
            )


class MerlDraws(NamedTuple):
    """Everything random in one step."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    keep1: Bool[Array, "batch embedding"]  # of the first view
    keep2: Bool[Array, "batch embedding"]
