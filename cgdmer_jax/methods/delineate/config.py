"""Config of delineation, which experiments.delineate fills in; config.json of a model folder holds it."""

from dataclasses import dataclass

from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.methods.finetune.config import PRETRAINED, SCRATCH

ALL, HEAD_ALONE = "all", "head"  # of `trained`


@dataclass(frozen=True)
class DelineateConfig(Checked):
    """`config.method` of delineation: each field's default and meaning."""

    where = "config.method"

    init: str = setting(PRETRAINED, "first weights of the encoder", choices=(PRETRAINED, SCRATCH))
    trained: str = setting(ALL, "which part is trained: all of it, or the head alone", choices=(ALL, HEAD_ALONE))
    encoder_name: str = setting("", "pretraining method of the encoder")
    encoder: dict = setting({}, "config of the encoder's method")
