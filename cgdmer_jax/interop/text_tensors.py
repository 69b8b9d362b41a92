"""Named tensors of a checkpoint folder: one safetensors file, several with an index, or a torch file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError, safe_open

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.interop.torch_file import torch_tensors
from cgdmer_jax.json_file import read_json
from cgdmer_jax.whole_file import open_plain

WEIGHTS, INDEX, TORCH = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
_PART = re.compile(r"(?!\.\.?$)[^/\0]+")  # a name in the folder
FLOATS = {"F64", "F32", "F16", "BF16"}


class Stored(NamedTuple):
    """A tensor as its file describes it; `read` returns it in float32."""

    shape: list[int]
    dtype: str  # as safetensors spells it
    read: Callable[[], Float[np.ndarray, "..."]]


def open_tensors(folder: Path) -> tuple[Path, dict[str, Stored]]:
    """The file that lists the tensors, and the tensors by name; nothing is read yet but headers."""
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS, _safetensors(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return folder / INDEX, _sharded(folder / INDEX)
    if (folder / TORCH).is_file():
        return folder / TORCH, _torch(folder / TORCH)
    raise CgdmerError(f"{folder} has no weights; place {WEIGHTS} there (or its parts with {INDEX})")


def _safetensors(path: Path) -> dict[str, Stored]:
    refuse_pointer(path)
    try:
        with open_plain(path):  # safe_open calls a file that may not be read a missing one
            pass
        file = safe_open(path, framework="numpy")
        slices = {name: file.get_slice(name) for name in file.keys()}
    except FileNotFoundError as error:
        raise CgdmerError(f"{path} is missing; copy every part of the model into that folder") from error
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); ask its owner") from error
    except SafetensorError as error:
        raise CgdmerError(f"{path} is cut or damaged ({error}); download or copy it again") from error

    def reader(name: str):
        return lambda: file.get_tensor(name).astype(np.float32)

    return {name: Stored(list(s.get_shape()), s.get_dtype(), reader(name)) for name, s in slices.items()}


def _sharded(path: Path) -> dict[str, Stored]:
    index = read_json(path, remedy="copy it again")
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(part, str) for part in places.values()):
        raise CgdmerError(f"{path} has no weight_map of tensor to file; copy it again")
    parts = sorted(set(places.values()))
    if not all(_PART.fullmatch(part) for part in parts):
        raise CgdmerError(f"{path} names a part outside its folder; take the model from where it was published")
    found = {part: _safetensors(path.with_name(part)) for part in parts}
    listed = set(places.items())
    held = {(name, part) for part, tensors in found.items() for name in tensors}
    if listed != held:
        name, part = min(listed ^ held)
        raise CgdmerError(f"{path} and its parts differ, first in {name} of {part}; copy all of them again")
    return {name: stored for tensors in found.values() for name, stored in tensors.items()}


def _torch(path: Path) -> dict[str, Stored]:
    install = f"pip install 'cgdmer_jax[torch]', or place {WEIGHTS} beside it (a model on the hub often has both)"
    state = torch_tensors(path, without_torch=install, no_state_dict="export the model with save_pretrained")
    print(f"{path}: read with torch (weights_only); {WEIGHTS} would need no torch")
    names = {"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16"}

    def reader(tensor):
        return lambda: tensor.float().numpy()

    def stored(tensor) -> Stored:
        dtype = str(tensor.dtype)
        return Stored(list(tensor.shape), names[dtype] if dtype in names else dtype, reader(tensor))

    return {name: stored(tensor) for name, tensor in state.items()}
