"""A file of tensors by name that torch wrote; nothing in it is executed."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.whole_file import open_plain

if TYPE_CHECKING:
    import torch


def torch_tensors(path: Path, *, without_torch: str, no_state_dict: str) -> dict[str, "torch.Tensor"]:
    """Tensors by name, of real numbers; the two sentences tell what to do without torch, or with another file."""
    refuse_pointer(path)
    try:
        import torch
    except ImportError as error:
        raise CgdmerError(f"{path} is a torch file, and torch is not installed: {without_torch}") from error
    damaged = f"{path} is cut, or holds more than tensors (its code is never run); download or copy it again"
    try:
        whole = _unpacks_to_its_size(path)
        state = torch.load(path, map_location="cpu", weights_only=True) if whole else None
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); ask its owner") from error
    except Exception:
        # A pickle is a program: a damaged one fails in any way. Told without torch's own words, which advise to load
        # with weights_only=False: that would run the file's code.
        raise CgdmerError(damaged) from None
    if not whole:
        raise CgdmerError(damaged)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise CgdmerError(f"{path} holds no state dict (tensors by name); {no_state_dict}")
    size = path.stat().st_size
    for name, tensor in state.items():
        if told := _unreadable(tensor, size):
            raise CgdmerError(f"{path}: tensor {name} {told}; {no_state_dict}")
    return {name: tensor.detach() for name, tensor in state.items()}  # parameters are part of a graph


def _unpacks_to_its_size(path: Path) -> bool:
    """Whether the file unpacks into no more than it has: torch packs nothing, and allocates what a file announces."""
    with open_plain(path) as file:
        if not zipfile.is_zipfile(file):
            return True  # torch before 1.6
        with zipfile.ZipFile(file) as packed:
            return sum(part.file_size for part in packed.infolist()) <= path.stat().st_size


def _unreadable(tensor: "torch.Tensor", size: int) -> str | None:
    """Reason why NumPy cannot have these numbers, or None; strides of 0 announce more than the file holds."""
    if str(tensor.layout) != "torch.strided" or tensor.is_quantized or tensor.device.type != "cpu":
        return "is sparse, quantized or without values"
    if tensor.is_complex():
        return "holds complex numbers"
    if tensor.numel() * tensor.element_size() > size:
        return f"has {tensor.numel():,} numbers, more than the file holds"
    return None
