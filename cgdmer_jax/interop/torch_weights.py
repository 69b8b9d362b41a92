"""Weights that MERL's authors released (*_ckpt.pth, the whole model) as variables of our MERL; read with torch.

Strict: every tensor is used, left out by name, or refused in one table.
"""

import pickle
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.merl_names import LAYER, TOWER, UNUSED, ours, theirs
from cgdmer_jax.methods.protocol import Variables

MOST_TOLD = 40  # lines of the table in an error; the rest is counted
Tensors = dict[str, Float[np.ndarray, "..."]]


class MerlWeights(NamedTuple):
    """What the file holds of MERL itself, the tensors of its text tower under the tower's own names, and the rest."""

    variables: Variables  # without the text tower
    tower: Tensors
    left_out: tuple[str, ...]


def read_merl(path: Path, like: Variables) -> MerlWeights:
    """`like`: shapes of MERL's variables without the text tower, no more and no fewer than the file must hold."""
    tensors = read_state_dict(path)
    tower = {name.removeprefix(TOWER): tensor for name, tensor in tensors.items() if name.startswith(TOWER)}
    left_out = tuple(sorted(name for name in tensors if UNUSED.search(name)))
    found = {n: t for n, t in tensors.items() if not n.startswith(TOWER) and n not in left_out}
    places = {place: leaf.shape for part in like for place, leaf in _flat(part).items()}
    _check_fit(path, found, _wanted(places))
    made = {place: _made(place, shape, found) for place, shape in places.items()}
    parts = [jax.tree.unflatten(jax.tree.structure(part), [made[place] for place in _flat(part)]) for part in like]
    return MerlWeights(Variables(*parts), tower, left_out)


def read_state_dict(path: Path) -> Tensors:
    """Tensors by name, as float32; nothing in the file is executed."""
    try:
        import torch
    except ImportError as error:
        raise CgdmerError(
            f"{path} is a torch file, and torch is not installed: pip install 'cgdmer_jax[torch]'"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CgdmerError(f"there is no file {path}; name the checkpoint that MERL's authors released") from error
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CgdmerError(f"{path} is cut, or holds more than tensors ({reason}); download or copy it again") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise CgdmerError(f"{path} holds no state dict (tensors by name); give the whole model, *_ckpt.pth")
    return {name: tensor.float().numpy() for name, tensor in state.items()}


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


def _check_fit(path: Path, found: Tensors, wanted: dict[str, tuple[int, ...]]) -> None:
    table = [f"missing     {name} {list(wanted[name])}" for name in sorted(wanted.keys() - found.keys())]
    table += [f"extra       {name} {list(found[name].shape)}" for name in sorted(found.keys() - wanted.keys())]
    table += [
        f"mis-shaped  {name} {list(found[name].shape)}, expected {list(wanted[name])}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name].shape != wanted[name]
    ]
    if table:
        more = [f"and {len(table) - MOST_TOLD} more"] if len(table) > MOST_TOLD else []
        lines = "".join(f"\n  {line}" for line in [*table[:MOST_TOLD], *more])
        raise CgdmerError(
            f"{path} does not hold the tensors of this MERL encoder; nothing was loaded: give the whole model of the "
            f"same size (*_ckpt.pth, not *_encoder.pth){lines}"
        )
