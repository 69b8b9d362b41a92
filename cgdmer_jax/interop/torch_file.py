"""A file of tensors by name that torch wrote; nothing in it is executed."""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.git_lfs import refuse_pointer

if TYPE_CHECKING:
    import torch

# What torch raises on a file that is cut, is no torch file or holds objects: a damaged pickle fails in many ways.
_UNREADABLE = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError, pickle.UnpicklingError)


def torch_tensors(path: Path, *, without_torch: str, no_state_dict: str) -> dict[str, "torch.Tensor"]:
    """Tensors by name; the two sentences tell what to do where torch is not installed, or the file holds others."""
    refuse_pointer(path)
    try:
        import torch
    except ImportError as error:
        raise CgdmerError(f"{path} is a torch file, and torch is not installed: {without_torch}") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE:
        # Without torch's own words, which advise to load with weights_only=False: that would run the file's code.
        raise CgdmerError(
            f"{path} is cut, or holds more than tensors (its code is never run); download or copy it again"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise CgdmerError(f"{path} holds no state dict (tensors by name); {no_state_dict}")
    return state
