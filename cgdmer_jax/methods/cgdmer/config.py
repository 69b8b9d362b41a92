"""CG-DMER's config fields, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.methods.losses.contrastive import ALIGNMENTS, SAME_TEXT
from cgdmer_jax.methods.losses.independence import DISENTANGLINGS
from cgdmer_jax.models.attention import KINDS
from cgdmer_jax.models.ecg.scaling import SCALINGS, VISIBLE
from cgdmer_jax.models.ecg.stem import STEMS
from cgdmer_jax.models.heads import POOLINGS
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.strategies import STRATEGIES
from cgdmer_jax.models.masking.words import MaskedTokens, Text
from cgdmer_jax.models.transformer import DEEPEST, REMAT_POLICIES, WIDEST, Size

TARGETS = ("signal", "patch_z")
DTYPES = ("float32", "bfloat16", "float64")


@dataclass(frozen=True)
class CgDmerConfig(Checked):
    """`config.method` of CG-DMER: each field's default and meaning. A term of weight 0 is not computed."""

    where = "config.method"

    ecg: Size = setting(Size(128, 4, 4), "lead x time encoder")
    text: Size = setting(Size(128, 2, 4), "report encoder, when it is trained from scratch")
    text_tower: str = setting(
        "", "a pretrained report encoder: a folder or hf://owner/name@revision; empty = from scratch"
    )
    text_architecture: dict = setting({}, "architecture of that encoder; pretrain fills it in from its folder")
    text_trained: int = setting(
        -1, "number of its last blocks that are trained; 0 = none, -1 = all of it", least=-1, most=DEEPEST
    )
    text_lr_multiplier: float = setting(0.1, "learning-rate multiplier of its trained parts", above=0)
    second: Size = setting(Size(128, 1, 4), "specific and shared encoders")
    decoder: Size = setting(Size(128, 1, 4), "ECG decoder")
    patch_seconds: float = setting(0.2, "length of a token in seconds", above=0)
    stem: str = setting("linear", "from samples to token", choices=STEMS)
    scaling: str = setting("record_std", "how millivolts are scaled", choices=(*SCALINGS, VISIBLE))
    scale_feature: bool = setting(False, "whether a token also tells the log of its lead's standard deviation in mV")
    mask_ratio: float = setting(0.75, "share of the valid tokens that is hidden", above=0, below=1)
    masking: str = setting("spatiotemporal", "which tokens are hidden together", choices=STRATEGIES)
    decode_ratio: float = setting(
        1.0, "share of the hidden tokens that is predicted, chosen at random", above=0, most=1
    )
    column_queries: bool = setting(
        True, "whether a hidden token's query starts from the visible tokens of its own time column"
    )
    target: str = setting(
        "signal", "the scaled signal, or each patch's z-score, of which no millivolts come back", choices=TARGETS
    )
    lead_dropout: float = setting(0.3, "share of the records that lose 1 to n-1 leads for good", least=0, most=1)
    mlm_ratio: float = setting(0.15, "share of the words that is masked", least=0, most=1)
    statement_dropout: float = setting(
        0.0, "share of a report's statements that the alignment does not read", least=0, most=1
    )
    shared_second: bool = setting(
        True, "whether one shared encoder with the same weights serves both modalities, or one each"
    )
    pooling: str = setting(
        "mean", "from tokens to a record's features: their mean, or attention by learned queries", choices=POOLINGS
    )
    embed_dim: int = setting(256, "width of the aligned space", least=1, most=WIDEST)
    alignment: str = setting("info_nce", "contrast of recordings with their reports", choices=ALIGNMENTS)
    temperature: float = setting(0.07, "where the learned InfoNCE temperature starts", above=0)
    siglip_scale: float = setting(10.0, "where SigLIP's learned factor starts", above=0)
    same_text: str = setting(
        "ignored",
        "other records of the same report: not compared, or positives that share the weight",
        choices=SAME_TEXT,
    )
    near_duplicate: float = setting(
        1.0,
        "reports whose word sets are at least this similar (Jaccard) are no negatives; 1 = identical ones only",
        above=0,
        most=1,
    )
    align_mask_ratio: float = setting(
        0.75,
        "share hidden from alignment and the ECG side of L_dis, at most mask_ratio; below it = a second pass",
        least=0,
        below=1,
    )
    disentangling: str = setting(
        "hsic_linear", "measure of dependence between shared and specific features", choices=DISENTANGLINGS
    )
    weight_ecg: float = setting(1.0, "weight of reconstructing hidden patches", least=0)
    weight_cross: float = setting(0.0, "the same from the report's shared and the ECG's specific tokens", least=0)
    weight_text: float = setting(0.5, "weight of predicting masked words", least=0)
    weight_align: float = setting(1.0, "weight of the contrast of recordings with their reports", least=0)
    weight_disentangle: float = setting(
        0.1, "weight of the dependence of shared and specific features, both modalities", least=0
    )
    disentangle_warmup: float = setting(
        0.1, "share of the steps over which weight_disentangle rises from 0", least=0, most=1
    )
    dtype: str = setting(
        "float32",
        "of activations and products; losses in float32 at least; float64 for comparisons",
        choices=DTYPES,
    )
    remat: str = setting(
        "none",
        "what the backward pass computes again: nothing, whole blocks, or all but their products",
        choices=REMAT_POLICIES,
    )
    unroll: int = setting(1, "blocks in one turn of the scan over layers", least=1, most=DEEPEST)
    microbatches: int = setting(
        1,
        "number of microbatches in which a batch is computed, one after another: the same loss with less memory",
        least=1,
        most=1 << 20,
    )
    attention: str = setting("auto", "how attention is computed; `auto` chooses by device and dtype", choices=KINDS)

    def __post_init__(self):
        super().__post_init__()
        if self.align_mask_ratio > self.mask_ratio:
            raise CgdmerError(
                f"config.method.align_mask_ratio is {self.align_mask_ratio} and mask_ratio {self.mask_ratio}; "
                "give an align_mask_ratio of at most mask_ratio"
            )
        if self.scaling == VISIBLE and self.scale_feature and self.align_mask_ratio < self.mask_ratio:
            # A lead may be hidden as a whole in one pass and seen in the other, which would be told the floor.
            raise CgdmerError(
                f"config.method.scale_feature with scaling {VISIBLE} tells the amplitude of what mask_ratio leaves "
                f"visible, and alignment sees more (align_mask_ratio {self.align_mask_ratio} < mask_ratio "
                f"{self.mask_ratio}); make the two ratios equal, or give scale_feature=False"
            )
        if bool(self.text_tower) != bool(self.text_architecture):
            raise CgdmerError(
                f'config.method.text_tower is "{self.text_tower}", but text_architecture is '
                f"{self.text_architecture or 'empty'}; give the first alone, experiments.pretrain fills in the second"
            )


class CgDmerDraws(NamedTuple):
    """Everything random or scheduled in one step."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    kept: Slots
    hidden: Slots
    masked: MaskedTokens
    aligned_text: Text  # what alignment, the text side of L_dis and cross reconstruction read
    disentangle_weight: Float[Array, ""]
