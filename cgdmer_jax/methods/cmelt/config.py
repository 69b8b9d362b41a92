"""C-MELT's config fields, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool, Int32

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.models.attention import KINDS
from cgdmer_jax.models.ecg.scaling import SCALINGS
from cgdmer_jax.models.ecg.sequence import CONV_GROUPS, FRONT_ENDS, LOCAL, RELEASED
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.words import MaskedTokens
from cgdmer_jax.models.transformer import DEEPEST, REMAT_POLICIES, WIDEST, Size

DTYPES = ("float32", "bfloat16", "float64")
SIGLIP, DOT = ALIGNMENTS = ("siglip", "dot")
BAND, FARTHEST = CHOSEN = ("band", "farthest")


@dataclass(frozen=True)
class Negatives(Checked):
    """Reports that may stand in place of one, found once for each distinct report by their cosine to it."""

    chosen: str = setting(
        BAND, "at random from a band of cosines, or those of the lowest cosine, as released", choices=CHOSEN
    )
    low: float = setting(0.3, "lowest cosine of the band", least=-1, most=1)
    high: float = setting(0.8, "highest cosine of the band", least=-1, most=1)
    count: int = setting(64, "reports kept of each, one of which is drawn in a step", least=1, most=1 << 12)
    encoder: str = setting(
        "", "frozen text encoder whose vectors are compared (made by encode_texts); empty = word pieces (TF-IDF)"
    )

    def fault(self) -> str | None:
        return f"has low {self.low} above high {self.high}" if self.low > self.high else None


@dataclass(frozen=True)
class CMeltConfig(Checked):
    """`config.method` of C-MELT: each field's default and meaning. A term of weight 0 is not computed."""

    where = "config.method"

    ecg: Size = setting(Size(128, 4, 4), "transformer over the recording's tokens, each of all leads")
    front_channels: int = setting(64, "channels of the convolutions in front of it", least=1, most=WIDEST)
    front_end: str = setting(
        LOCAL,
        "a token from its own samples, or, as released, normed over time: hidden samples leak",
        choices=FRONT_ENDS,
    )
    halvings: int = setting(4, "convolutions of the front end; a token has 2 to this power samples", least=1, most=16)
    text: Size = setting(Size(128, 2, 4), "report encoder, when it is trained from scratch")
    text_tower: str = setting(
        "", "a pretrained report encoder: a folder or hf://owner/name@revision; empty = from scratch"
    )
    text_architecture: dict = setting({}, "architecture of that encoder; pretrain fills it in from its folder")
    text_trained: int = setting(
        -1, "number of its last blocks that are trained; 0 = none, -1 = all of it", least=-1, most=DEEPEST
    )
    text_lr_multiplier: float = setting(1.0, "learning-rate multiplier of its trained parts", above=0)
    text_padding: bool = setting(False, "whether the report encoder attends to padding too, as released")
    fusion: Size = setting(Size(128, 2, 4), "layers in which the streams of both modalities read each other")
    decoder: Size = setting(Size(64, 2, 4), "decoder of hidden tokens")
    scaling: str = setting("fixed_mv", "how millivolts are scaled", choices=SCALINGS)
    mask_ratio: float = setting(0.75, "share of the valid tokens that is hidden", above=0, below=1)
    lead_masking: float = setting(
        0.5, "probability that a lead reads as 0; at least one is left, all are predicted", least=0, below=1
    )
    mlm_ratio: float = setting(0.25, "share of the words that is masked", above=0, below=1)
    replaced: float = setting(
        0.5, "probability that another report is read in place of a record's own", least=0, below=1
    )
    negatives: Negatives = setting(Negatives(), "which reports these are")
    alignment: str = setting(
        SIGLIP, "unit vectors, scale and bias learned, or plain products of features, as released", choices=ALIGNMENTS
    )
    siglip_scale: float = setting(10.0, "where the learned scale starts", above=0)
    weight_ecg: float = setting(1.0, "weight of predicting hidden tokens of the recording", least=0)
    weight_text: float = setting(1.0, "weight of predicting masked words", least=0)
    weight_match: float = setting(1.0, "weight of telling replaced reports from a record's own", least=0)
    weight_align: float = setting(1.0, "weight of the sigmoid contrast of recordings with reports", least=0)
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
        if self.fusion.depth < 2:
            raise CgdmerError(
                f"config.method.fusion.depth is {self.fusion.depth}; give 2 at least: the decoder of the recording "
                "reads the middle layer"
            )
        if self.front_end == RELEASED and self.ecg.width % CONV_GROUPS:
            raise CgdmerError(
                f"config.method.ecg.width is {self.ecg.width}; the released front end needs a multiple of {CONV_GROUPS}"
            )
        if bool(self.text_tower) != bool(self.text_architecture):
            raise CgdmerError(
                f'config.method.text_tower is "{self.text_tower}", but text_architecture is '
                f"{self.text_architecture or 'empty'}; give the first alone, experiments.pretrain fills in the second"
            )


class ReadReports(NamedTuple):
    """The report that each record is read with: its own, or one in place of it."""

    tokens: Int32[Array, "batch token"]
    length: Int32[Array, "batch"]
    text_id: Int32[Array, "batch"]
    replaced: Bool[Array, "batch"]


class CMeltDraws(NamedTuple):
    """Everything random in one step."""

    lead_mask: Bool[Array, "batch lead"]  # leads that the encoder sees
    kept: Slots
    hidden: Slots
    read: ReadReports
    masked: MaskedTokens  # of what is read
