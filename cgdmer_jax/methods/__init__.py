"""Methods by name: one file, one line here, one config each."""

from cgdmer_jax.methods.cgdmer.method import CgDmer, CgDmerConfig
from cgdmer_jax.methods.masked_text import MaskedText, MaskedTextConfig
from cgdmer_jax.methods.merl.method import Merl, MerlConfig

METHODS = {
    "cgdmer": (CgDmer, CgDmerConfig),
    "masked_text": (MaskedText, MaskedTextConfig),
    "merl": (Merl, MerlConfig),
}
