"""Tables with a line a text, kept in a store's folder beside all that they depend on; a stale one is refused."""

import json
from pathlib import Path

import numpy as np

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.npz_file import read_npz
from cgdmer_jax.whole_file import whole_file

CACHE = "cache"  # folder of a store; no part of its seal, and gone with it
Key = dict[str, str | int]


def read_table(path: Path, key: Key, *, what: str, remedy: str) -> dict[str, np.ndarray]:
    """Arrays by name; `what` the file is and the `remedy` end the error of one that is damaged or stale."""
    arrays = read_npz(path, remedy=remedy)
    try:
        found = json.loads(str(arrays.pop("key")))
    except (ValueError, KeyError) as error:
        raise CgdmerError(f"{what} {path} holds no key; {remedy}") from error
    differing = [field for field, value in key.items() if found.get(field) != value]
    if differing:
        raise CgdmerError(f"{what} {path} is stale (other {', '.join(differing)}); {remedy}")
    return arrays


def write_table(path: Path, key: Key, arrays: dict[str, np.ndarray]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    with whole_file(path) as file:
        np.savez_compressed(file, key=np.array(json.dumps(key)), **arrays)
