"""Config fields of fine-tuning, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int32

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.transformer import DEEPEST

PRETRAINED, SCRATCH = "pretrained", "scratch"
ALL, HEAD_ALONE = -1, 0  # of `encoder_trained`
MAIN, ATTENTION, PER_LEAD = POOLINGS = ("main", "attention", "per_lead")
MOST_VALIDATIONS = 1 << 20


@dataclass(frozen=True)
class FinetuneConfig(Checked):
    """`config.method` of fine-tuning: each field's default and meaning."""

    where = "config.method"

    init: str = setting(PRETRAINED, "first weights of the encoder", choices=(PRETRAINED, SCRATCH))
    encoder_trained: int = setting(
        ALL,
        "number of the encoder's last blocks that are trained; 0 = none, the head alone; -1 = all of it",
        least=-1,
        most=DEEPEST,
        younger=True,
    )
    encoder_lr_multiplier: float = setting(
        1.0,
        "learning-rate multiplier of a pretrained encoder's last block; 0 = none is trained, as by encoder_trained 0",
        least=0,
    )
    layer_decay: float = setting(
        1.0,
        "learning rate of a pretrained encoder's blocks, each as a share of the next one's, and of its front",
        above=0,
        most=1,
        younger=True,
    )
    head_pooling: str = setting(
        MAIN,
        "what the head reads: the encoder's feature, or its tokens' learned weighted mean, or means of each lead",
        choices=POOLINGS,
        younger=True,
    )
    head_dropout: float = setting(
        0.0,
        "share of that feature's values that are left out in a step, behind its norm",
        least=0,
        below=1,
        younger=True,
    )
    token_dropout: float = setting(
        0.0,
        "share of a record's tokens that are hidden from the encoder in each step, which is faster by about as much",
        least=0,
        below=1,
        younger=True,
    )
    lead_dropout: float = setting(0.0, "share of the records that lose 1 to n-1 leads in a step", least=0, below=1)
    time_shift_seconds: float = setting(
        0.0, "a record is rotated in time by up to so much, either way; all leads alike", least=0
    )
    noise_uv: float = setting(0.0, "standard deviation of white noise on what was measured, in microvolts", least=0)
    average_decay: float = setting(
        0.0,
        "decay of a running average of the weights, which is scored and exported; 0 = none",
        least=0,
        below=1,
    )
    patience: int = setting(
        5,
        "validations in a row without a lower loss that end the training; 0 = it never ends early",
        least=0,
        most=MOST_VALIDATIONS,
    )
    encoder_from: str = setting("", "run or model folder of the encoder; finetune fills this and the rest in")
    encoder_name: str = setting("", "pretraining method of the encoder")
    encoder: dict = setting({}, "config of the encoder's method")
    task: str = setting("", "task of the store whose classes are learned")
    classes: tuple[str, ...] = setting((), "codes of its classes, in the order of the logits")

    def __post_init__(self):
        super().__post_init__()
        if not (self.encoder and self.classes):
            raise CgdmerError(
                "config.method.encoder and config.method.classes are empty; python -m experiments.finetune fills them "
                "in from --run or --model, --store and --task"
            )

    @property
    def trained(self) -> int:
        """`encoder_trained`; with a multiplier of 0, which says it in older runs, the head alone."""
        return self.encoder_trained if self.encoder_lr_multiplier else HEAD_ALONE


class FinetuneDraws(NamedTuple):
    """Everything random in one step; None where the config has nothing of it."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    shift: Int32[Array, "batch"] | None  # samples
    noise_uv: Float[Array, "batch lead time"] | None
    kept: Float[Array, "batch feature"] | None  # 0, or what keeps the mean as it is
    tokens: Slots | None  # that the encoder sees
