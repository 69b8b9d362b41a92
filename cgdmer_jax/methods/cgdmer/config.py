"""What a config file says of CG-DMER, and what one of its steps draws."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods.cgdmer.network import Size
from cgdmer_jax.methods.losses.contrastive import ALIGNMENTS, SAME_TEXT
from cgdmer_jax.methods.losses.independence import DISENTANGLINGS
from cgdmer_jax.models.attention import KINDS
from cgdmer_jax.models.ecg.scaling import SCALINGS
from cgdmer_jax.models.ecg.stem import STEMS
from cgdmer_jax.models.heads import POOLINGS
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.strategies import STRATEGIES
from cgdmer_jax.models.masking.words import MaskedTokens, Text
from cgdmer_jax.models.transformer import REMAT_POLICIES

TARGETS = ("signal", "patch_z")
CHOICES = {
    "dtype": ("float32", "bfloat16", "float64"),
    "remat": REMAT_POLICIES,
    "attention": KINDS,
    "masking": STRATEGIES,
    "stem": STEMS,
    "scaling": SCALINGS,
    "target": TARGETS,
    "alignment": ALIGNMENTS,
    "same_text": SAME_TEXT,
    "disentangling": DISENTANGLINGS,
    "pooling": POOLINGS,
}


@dataclass(frozen=True)
class CgDmerConfig:
    """What a config file says of the method; every field is named there. A term of weight 0 is not computed."""

    ecg: Size  # lead x time encoder
    text: Size  # report encoder, when it is trained from scratch
    text_tower: str  # a pretrained one in its place: a folder or hf://owner/name@revision; "" = from scratch
    text_architecture: dict  # what that folder says of it; experiments.pretrain fills it in
    text_trained: int  # its last so many blocks are trained; 0 = none, -1 = all of it
    text_rate: float  # learning-rate factor of its trained parts
    second: Size  # specific and shared encoders
    decoder: Size  # ECG decoder
    patch_seconds: float  # length of a token
    stem: str  # from samples to token, one of models/stem.py STEMS
    scaling: str  # one of models/scaling.py SCALINGS
    scale_feature: bool  # a token also tells the log of its lead's standard deviation in mV
    hide_ratio: float  # share of the valid tokens that is hidden
    masking: str  # one of models/strategies.py STRATEGIES
    decode_ratio: float  # share of the hidden tokens that is predicted, chosen at random
    column_queries: bool  # a hidden token's query starts from the visible tokens of its own time column
    target: str  # what is predicted: the scaled `signal`, or each patch's z-score (`patch_z`, no millivolts come back)
    lead_dropout: float  # share of the records that lose 1..n-1 leads for good
    language_ratio: float  # share of the words that is masked
    statement_dropout: float  # share of a report's statements that the alignment does not read
    shared_second: bool  # one shared second encoder with the same weights for both modalities, or one each
    pooling: str  # from tokens to a record's features: `mean`, or `attention` by learned queries
    embedding: int  # width of the aligned space
    alignment: str  # `info_nce` or `siglip`
    temperature: float  # where the learned InfoNCE temperature starts
    siglip_scale: float  # where SigLIP's learned factor starts
    same_text: str  # other records of the same report: `ignored`, or `positives` that share the weight
    near_duplicate: (
        float  # reports whose word sets are at least so alike (Jaccard) are no negatives; 1 = identical only
    )
    align_hide_ratio: float  # share hidden from alignment and the ECG side of L_dis; below hide_ratio = a second pass
    disentangling: str  # dependence of shared and specific features: `hsic_linear`, `hsic_rbf`, `cosine` or `none`
    weight_ecg: float  # reconstruction of hidden patches
    weight_cross: float  # the same from the report's shared and the ECG's specific tokens
    weight_text: float  # masked words
    weight_align: float  # contrast of recordings with their reports
    weight_disentangle: float  # dependence of shared and specific features, both modalities
    disentangle_warmup: float  # share of the steps over which its weight rises from 0
    dtype: str  # of activations and products; losses in float32 at least. `float64` (JAX_ENABLE_X64) is for comparisons
    remat: str  # what the backward pass computes again: `none`, `full` blocks, or all but their products (`dots`)
    unroll: int  # blocks that one turn of the scan over layers holds
    chunks: int  # the batch is computed in so many parts, one after another: the same loss with less memory
    attention: str  # form of its computation, one of models/attention.py KINDS; `auto` chooses by device and dtype

    def __post_init__(self):
        for field, known in CHOICES.items():
            if (value := getattr(self, field)) not in known:
                raise CgdmerError(f'config.method.{field} is "{value}".{suggest(value, known)}')
        if not 0 < self.hide_ratio < 1:
            raise CgdmerError(f"config.method.hide_ratio is {self.hide_ratio}; give a share between 0 and 1")
        if not 0 <= self.align_hide_ratio <= self.hide_ratio:
            raise CgdmerError(
                f"config.method.align_hide_ratio is {self.align_hide_ratio} and hide_ratio {self.hide_ratio}; "
                "give 0 <= align_hide_ratio <= hide_ratio"
            )
        if self.chunks < 1:
            raise CgdmerError(
                f"config.method.chunks is {self.chunks}; give 1 for the whole batch at once, or more parts"
            )
        if bool(self.text_tower) != bool(self.text_architecture):
            raise CgdmerError(
                f'config.method.text_tower is "{self.text_tower}", but text_architecture is '
                f"{self.text_architecture or 'empty'}; give the first alone, experiments.pretrain fills in the second"
            )
        if not self.text_rate > 0:
            raise CgdmerError(
                f"config.method.text_rate is {self.text_rate}; give a factor above 0, or freeze with text_trained = 0"
            )
        if not 0 < self.near_duplicate <= 1:
            raise CgdmerError(
                f"config.method.near_duplicate is {self.near_duplicate}; give a similarity above 0, at most 1"
            )


class CgDmerDraws(NamedTuple):
    """Everything random or scheduled in one step."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    kept: Slots
    hidden: Slots
    masked: MaskedTokens
    aligned_text: Text  # what alignment, the text side of L_dis and cross reconstruction read
    disentangle_weight: Float[Array, ""]
