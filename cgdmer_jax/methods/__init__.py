"""Methods by name: one file, one line here, one config each."""

from cgdmer_jax.methods.cgdmer import CgDmer, CgDmerConfig
from cgdmer_jax.methods.masked_text import MaskedText, MaskedTextConfig

METHODS = {
    "cgdmer": (CgDmer, CgDmerConfig),
    "masked_text": (MaskedText, MaskedTextConfig),
}
