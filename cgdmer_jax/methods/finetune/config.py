"""Config fields of fine-tuning, and the random draws of one step."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int32

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting

PRETRAINED, SCRATCH = "pretrained", "scratch"
MOST_VALIDATIONS = 1 << 20


@dataclass(frozen=True)
class FinetuneConfig(Checked):
    """`config.method` of fine-tuning: each field's default and meaning."""

    where = "config.method"

    init: str = setting(PRETRAINED, "first weights of the encoder", choices=(PRETRAINED, SCRATCH))
    encoder_lr_multiplier: float = setting(
        1.0, "learning-rate multiplier of the encoder; 0 = the head alone is trained", least=0
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


class FinetuneDraws(NamedTuple):
    """Everything random in one step; None where the config has nothing of it."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    shift: Int32[Array, "batch"] | None  # samples
    noise_uv: Float[Array, "batch lead time"] | None
