"""Multimodal ECG + report pretraining in JAX."""

__version__ = "0.1.0"


def load(name):
    """A pretrained encoder from a model folder, or from hf://owner/name@revision (cgdmer_jax/interop/pretrained.py)."""
    from cgdmer_jax.interop import pretrained  # importing the package alone leaves jax unimported

    return pretrained.load(name)
