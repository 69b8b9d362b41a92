"""Weights that MERL's authors released (*_ckpt.pth, the whole model) as variables of our MERL; read with torch.

Strict: every tensor is used, left out by name, or refused in one table.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.merl_names import COUNTER, LAYER, TOWER, UNUSED, ours, theirs
from cgdmer_jax.interop.tensor_table import check_tensors
from cgdmer_jax.interop.torch_file import torch_tensors
from cgdmer_jax.interop.weights import check_finite
from cgdmer_jax.methods.protocol import Variables

Tensors = dict[str, Float[np.ndarray, "..."]]


class MerlWeights(NamedTuple):
    """The tensors of MERL itself in the file, and the names of all the others."""

    variables: Variables  # without the text tower
    left_out: tuple[str, ...]  # the text tower's too: TOWER stands before them

    def told(self) -> str:
        """Counts the tensors left out, by prefix or name."""
        counted = Counter(_kind(name) for name in self.left_out)
        return ", ".join(f"{counted[kind]} {kind}" for kind in sorted(counted)) or "none"


def read_merl(path: Path, like: Variables) -> MerlWeights:
    """`like`: shapes of MERL's variables without the text tower, no more and no fewer than the file must hold."""
    tensors = read_state_dict(path)
    left_out = {name for name in tensors if name.startswith(TOWER) or UNUSED.search(name)}
    found = {name: tensor for name, tensor in tensors.items() if name not in left_out}
    places = {place: leaf.shape for part in like for place, leaf in _flat(part).items()}
    sentence = (
        f"{path} does not hold the tensors of this MERL encoder; nothing was loaded: give the whole model of the "
        "same size (*_ckpt.pth, not *_encoder.pth)"
    )
    check_tensors({name: tensor.shape for name, tensor in found.items()}, _wanted(places), sentence)
    for name, tensor in sorted(found.items()):  # of what is left out nothing is used, and nothing judged
        check_finite(path, name, tensor, "nothing was loaded: take another file")
    made = {place: _made(place, shape, found) for place, shape in places.items()}
    parts = [jax.tree.unflatten(jax.tree.structure(part), [made[place] for place in _flat(part)]) for part in like]
    return MerlWeights(Variables(*parts), tuple(sorted(left_out)))


def read_state_dict(path: Path) -> Tensors:
    """Tensors by name, as float32; nothing in the file is executed."""
    if path.is_dir():
        raise CgdmerError(f"{path} is a folder; name the checkpoint in it that MERL's authors released, *_ckpt.pth")
    if not path.exists():
        raise CgdmerError(f"there is no file {path}; name the checkpoint that MERL's authors released")
    tensors = torch_tensors(
        path, without_torch="pip install 'cgdmer_jax[torch]'", no_state_dict="give the whole model, *_ckpt.pth"
    )
    return {name: tensor.float().numpy() for name, tensor in tensors.items()}


def _kind(name: str) -> str:
    if name.startswith(TOWER):
        return f"{TOWER}*"
    return f"*{COUNTER}" if name.endswith(COUNTER) else name


def _flat(tree: dict) -> dict:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _wanted(places: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the file."""
    wanted = {}
    for place, shape in places.items():
        there = theirs(place, shape)
        wanted |= {name: there.shape for name in _names(there.name, shape)}
    return wanted


def _names(name: str, shape: tuple[int, ...]) -> list[str]:
    return [name.format(layer=number) for number in range(shape[0])] if LAYER in name else [name]


def _made(place: str, shape: tuple[int, ...], found: Tensors) -> Float[np.ndarray, "..."]:
    there = theirs(place, shape)
    arrays = [ours(place, found[name], there.third) for name in _names(there.name, shape)]
    return np.stack(arrays) if LAYER in there.name else arrays[0]
