"""Methods by name: one file, one line here, one config each."""

from cgdmer_jax.methods.cgdmer import CgDmer, CgDmerConfig

METHODS = {"cgdmer": (CgDmer, CgDmerConfig)}
