"""The arrays of a state by name: what a checkpoint holds, and whether it is what a run needs."""

from pathlib import Path

import jax

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.state import TrainState

Leaf = jax.Array | jax.ShapeDtypeStruct  # a shape stands for an array that is not there yet


def check_fit(folder: Path, found: dict[str, list], wanted: dict[str, Leaf], names: set[str]) -> None:
    expected = describe(wanted)
    for name in sorted(names):
        if name not in found or name not in expected or found[name] != expected[name]:
            has = "{1}{0}".format(*found[name]) if name in found else "absent"
            needs = "{1}{0}".format(*expected[name]) if name in expected else "none of that name"
            raise CgdmerError(
                f"{folder}: array {name} is {has}, this run needs {needs}; "
                "its config differs from the one that wrote the checkpoint"
            )


def of_variables(name: str) -> bool:
    return name.partition(".")[2].startswith("variables.")


def as_dict(state: TrainState) -> dict[str, Leaf]:
    """Flat, by number and path, so that the order of leaves survives whatever containers optax uses."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {f"{i:05d}{jax.tree_util.keystr(path)}": leaf for i, (path, leaf) in enumerate(leaves)}


def describe(arrays: dict[str, Leaf]) -> dict[str, list]:
    return {name: [list(x.shape), str(x.dtype)] for name, x in arrays.items()}
