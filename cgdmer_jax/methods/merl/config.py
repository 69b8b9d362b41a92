"""MERL's config fields, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.methods.merl.network import POOL_HEADS, ResNetSize, VitSize
from cgdmer_jax.models.ecg.scaling import MINMAX, SCALINGS
from cgdmer_jax.models.text.tower import POOLINGS
from cgdmer_jax.models.transformer import DEEPEST, REMAT_POLICIES, WIDEST, Size

DTYPES = ("float32", "bfloat16", "float64")
NEGATIVES = "negatives"  # of same_text: as released, another record of the same report is pushed away


@dataclass(frozen=True)
class MerlConfig(Checked):
    """`config.method` of MERL: each field's default and meaning. Defaults are the released code's, but for `text`."""

    where = "config.method"

    ecg: ResNetSize | VitSize = setting(ResNetSize(64, (2, 2, 2, 2), False), "ECG encoder: a ResNet or a ViT")
    text: Size = setting(Size(128, 2, 4), "report encoder, when it is trained from scratch", younger=True)
    text_tower: str = setting(
        "", "a pretrained report encoder: a folder or hf://owner/name@revision; empty = from scratch"
    )
    text_architecture: dict = setting({}, "architecture of that encoder; pretrain fills it in from its folder")
    text_trained: int = setting(
        0, "number of its last blocks that are trained; 0 = none, -1 = all of it", least=-1, most=DEEPEST
    )
    text_lr_multiplier: float = setting(1.0, "learning-rate multiplier of its trained parts", above=0)
    text_pooling: str = setting("pooler", "from its tokens to one vector", choices=POOLINGS)
    scaling: str = setting("record_minmax", "how millivolts are scaled", choices=(*SCALINGS, MINMAX))
    lead_dropout: float = setting(0.0, "share of the records that lose 1 to n-1 leads in a step", least=0, below=1)
    embed_dim: int = setting(
        256, "width of the aligned space, of the narrowed feature map and of the views", least=1, most=WIDEST
    )
    temperature: float = setting(0.07, "temperature of both terms, fixed", above=0)
    same_text: str = setting("negatives", "other records of the same report", choices=("ignored", NEGATIVES))
    view_dropout: float = setting(0.1, "dropout that makes each of the two views of a recording", least=0, below=1)
    weight_align: float = setting(
        2.0, "weight of the contrast of recordings with reports, a mean of two directions", least=0
    )
    weight_views: float = setting(
        2.0, "weight of the contrast of two views of one recording, a mean of two directions", least=0
    )
    dtype: str = setting("float32", "of activations and products; float64 for comparisons", choices=DTYPES)
    remat: str = setting(
        "none",
        "what the backward pass of transformers computes again: nothing, whole blocks, or all but their products",
        choices=REMAT_POLICIES,
    )
    unroll: int = setting(1, "blocks in one turn of the scan over a transformer's layers", least=1, most=DEEPEST)

    def __post_init__(self):
        super().__post_init__()
        if bool(self.text_tower) != bool(self.text_architecture):
            raise CgdmerError(
                f'config.method.text_tower is "{self.text_tower}", but text_architecture is '
                f"{self.text_architecture or 'empty'}; give the first alone, experiments.pretrain fills in the second"
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
