"""Methods by name: a folder each, one line here, one config in configs/."""

from cgdmer_jax.methods.cgdmer.method import CgDmer, CgDmerConfig
from cgdmer_jax.methods.cmelt.method import CMelt, CMeltConfig
from cgdmer_jax.methods.delineate.config import DelineateConfig
from cgdmer_jax.methods.delineate.method import Delineate
from cgdmer_jax.methods.finetune.config import FinetuneConfig
from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.methods.kmerl.method import KMerl, KMerlConfig
from cgdmer_jax.methods.masked_text import MaskedText, MaskedTextConfig
from cgdmer_jax.methods.merl.method import Merl, MerlConfig

METHODS = {
    "cgdmer": (CgDmer, CgDmerConfig),
    "cmelt": (CMelt, CMeltConfig),
    # These two wrap one of the others (make.py).
    "delineate": (Delineate, DelineateConfig),
    "finetune": (Finetune, FinetuneConfig),
    "kmerl": (KMerl, KMerlConfig),
    "masked_text": (MaskedText, MaskedTextConfig),
    "merl": (Merl, MerlConfig),
}
