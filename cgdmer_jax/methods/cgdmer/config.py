"""CG-DMER's config fields, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from cgdmer_jax.config import one_of, setting
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods.losses.contrastive import ALIGNMENTS, SAME_TEXT
from cgdmer_jax.methods.losses.independence import DISENTANGLINGS
from cgdmer_jax.models.attention import KINDS
from cgdmer_jax.models.ecg.scaling import SCALINGS
from cgdmer_jax.models.ecg.stem import STEMS
from cgdmer_jax.models.heads import POOLINGS
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.strategies import STRATEGIES
from cgdmer_jax.models.masking.words import MaskedTokens, Text
from cgdmer_jax.models.transformer import REMAT_POLICIES, Size

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
    """`config.method` of CG-DMER: each field's default and meaning. A term of weight 0 is not computed."""

    ecg: Size = setting(Size(128, 4, 4), "lead x time encoder")
    text: Size = setting(Size(128, 2, 4), "report encoder, when it is trained from scratch")
    text_tower: str = setting(
        "", "a pretrained report encoder: a folder or hf://owner/name@revision; empty = from scratch"
    )
    text_architecture: dict = setting({}, "architecture of that encoder; pretrain fills it in from its folder")
    text_trained: int = setting(-1, "number of its last blocks that are trained; 0 = none, -1 = all of it")
    text_lr_multiplier: float = setting(0.1, "learning-rate multiplier of its trained parts")
    second: Size = setting(Size(128, 1, 4), "specific and shared encoders")
    decoder: Size = setting(Size(128, 1, 4), "ECG decoder")
    patch_seconds: float = setting(0.2, "length of a token in seconds")
    stem: str = setting("linear", f"from samples to token: {one_of(CHOICES['stem'])}")
    scaling: str = setting("record_std", f"how millivolts are scaled: {one_of(CHOICES['scaling'])}")
    scale_feature: bool = setting(False, "whether a token also tells the log of its lead's standard deviation in mV")
    mask_ratio: float = setting(0.75, "share of the valid tokens that is hidden")
    masking: str = setting("spatiotemporal", f"which tokens are hidden together: {one_of(CHOICES['masking'])}")
    decode_ratio: float = setting(1.0, "share of the hidden tokens that is predicted, chosen at random")
    column_queries: bool = setting(
        True, "whether a hidden token's query starts from the visible tokens of its own time column"
    )
    target: str = setting("signal", "the scaled `signal`, or each patch's z-score (`patch_z`: no millivolts come back)")
    lead_dropout: float = setting(0.3, "share of the records that lose 1 to n-1 leads for good")
    mlm_ratio: float = setting(0.15, "share of the words that is masked")
    statement_dropout: float = setting(0.0, "share of a report's statements that the alignment does not read")
    shared_second: bool = setting(
        True, "whether one shared encoder with the same weights serves both modalities, or one each"
    )
    pooling: str = setting("mean", "from tokens to a record's features: `mean`, or `attention` by learned queries")
    embed_dim: int = setting(256, "width of the aligned space")
    alignment: str = setting("info_nce", f"contrast of recordings with their reports: {one_of(CHOICES['alignment'])}")
    temperature: float = setting(0.07, "where the learned InfoNCE temperature starts")
    siglip_scale: float = setting(10.0, "where SigLIP's learned factor starts")
    same_text: str = setting(
        "ignored", "other records of the same report: `ignored`, or `positives` that share the weight"
    )
    near_duplicate: float = setting(
        1.0, "reports whose word sets are at least this similar (Jaccard) are no negatives; 1 = identical ones only"
    )
    align_mask_ratio: float = setting(
        0.75, "share hidden from alignment and the ECG side of L_dis; below mask_ratio = a second pass"
    )
    disentangling: str = setting(
        "hsic_linear", f"measure of dependence between shared and specific features: {one_of(CHOICES['disentangling'])}"
    )
    weight_ecg: float = setting(1.0, "weight of reconstructing hidden patches")
    weight_cross: float = setting(0.0, "the same from the report's shared and the ECG's specific tokens")
    weight_text: float = setting(0.5, "weight of predicting masked words")
    weight_align: float = setting(1.0, "weight of the contrast of recordings with their reports")
    weight_disentangle: float = setting(
        0.1, "weight of the dependence of shared and specific features, both modalities"
    )
    disentangle_warmup: float = setting(0.1, "share of the steps over which weight_disentangle rises from 0")
    dtype: str = setting(
        "float32",
        f"{one_of(CHOICES['dtype'])}: of activations and products; losses in float32 at least; float64 for comparisons",
    )
    remat: str = setting(
        "none", "what the backward pass computes again: `none`, `full` blocks, or all but their products (`dots`)"
    )
    unroll: int = setting(1, "blocks in one turn of the scan over layers")
    microbatches: int = setting(
        1, "number of microbatches in which a batch is computed, one after another: the same loss with less memory"
    )
    attention: str = setting("auto", f"{one_of(CHOICES['attention'])}; `auto` chooses by device and dtype")

    def __post_init__(self):
        for field, known in CHOICES.items():
            if (value := getattr(self, field)) not in known:
                raise CgdmerError(f'config.method.{field} is "{value}".{suggest(value, known)}')
        if not 0 < self.mask_ratio < 1:
            raise CgdmerError(f"config.method.mask_ratio is {self.mask_ratio}; give a share between 0 and 1")
        if not 0 <= self.align_mask_ratio <= self.mask_ratio:
            raise CgdmerError(
                f"config.method.align_mask_ratio is {self.align_mask_ratio} and mask_ratio {self.mask_ratio}; "
                "give 0 <= align_mask_ratio <= mask_ratio"
            )
        if self.microbatches < 1:
            raise CgdmerError(
                f"config.method.microbatches is {self.microbatches}; give 1 for the whole batch at once, or more parts"
            )
        if bool(self.text_tower) != bool(self.text_architecture):
            raise CgdmerError(
                f'config.method.text_tower is "{self.text_tower}", but text_architecture is '
                f"{self.text_architecture or 'empty'}; give the first alone, experiments.pretrain fills in the second"
            )
        if not self.text_lr_multiplier > 0:
            raise CgdmerError(
                f"config.method.text_lr_multiplier is {self.text_lr_multiplier}; give a factor above 0, or "
                "freeze with text_trained = 0"
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
