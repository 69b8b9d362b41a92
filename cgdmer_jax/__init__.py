"""Multimodal ECG + report pretraining in JAX."""

from pathlib import Path

__version__ = "0.1.0"


def load(name: str | Path):
    """The pretrained `Encoder` in a model folder, on this machine's default JAX device.

    `name`: path of the folder, or `hf://owner/name@revision` on the Hugging Face hub. Every file is compared with its
    sha256 before it is parsed; nothing in the folder is executed.

    Nothing is compiled before the first call that needs it. What is compiled then is kept in the user's cache folder
    (`cgdmer_jax` in XDG_CACHE_HOME or ~/.cache, at most 256 MB; CGDMER_CACHE names another folder, CGDMER_CACHE=off
    none), so that the next process starts without. JAX's configuration is not touched; where it has a compilation cache
    (JAX_COMPILATION_CACHE_DIR), that one is used instead.

    Raises CgdmerError where the folder is missing or incomplete, where a file differs from what was exported, and where
    reports would be cleaned by other rules than in training. Warns where only the model card was edited.
    """
    from cgdmer_jax.interop import pretrained  # importing the package alone leaves jax unimported

    return pretrained.load(name)
