"""Tables with a line a text, kept in a store's folder beside all that they depend on; none that is stale is read."""

import json
from pathlib import Path

import numpy as np

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import parse_json
from cgdmer_jax.npz_file import read_arrays, write_arrays

CACHE = "cache"  # folder of a store; no part of its seal, and gone with it
Key = dict[str, str | int | float]


def read_cache(path: Path, key: Key, *, what: str, remedy: str, most_bytes: int | None = None) -> dict[str, np.ndarray]:
    """Arrays by name; of a file that is damaged or stale the error says `what` it is, and ends with the `remedy`."""
    arrays = read_arrays(path, remedy=remedy, most_bytes=most_bytes)
    found = parse_json(str(arrays.pop("key", "")).encode(), path, remedy=remedy)
    differing = [field for field, value in key.items() if not isinstance(found, dict) or found.get(field) != value]
    if differing:
        raise CgdmerError(f"{what} {path} is stale (other {', '.join(differing)}); {remedy}")
    return arrays


def write_cache(path: Path, key: Key, arrays: dict[str, np.ndarray]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    write_arrays(path, {"key": np.array(json.dumps(key)), **arrays}, compress=True)
