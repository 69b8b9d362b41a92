"""Multimodal ECG + report pretraining in JAX."""

__version__ = "0.1.0"


def load(folder_or_hub_id):
    """A pretrained encoder from a model folder or a Hugging Face hub id (cgdmer_jax/interop/pretrained.py)."""
    from cgdmer_jax.interop import pretrained  # importing the package alone leaves jax unimported

    return pretrained.load(folder_or_hub_id)
