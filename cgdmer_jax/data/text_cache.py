"""Tables with a line a text, kept in a store's folder beside all that they depend on; a stale one is refused.

Training reads token ids from here, so the file ends with the sha256 of what comes before it. One without it was
written by an earlier version and is read as it is.
"""

import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import parse_json
from cgdmer_jax.whole_file import write_whole

CACHE = "cache"  # folder of a store; no part of its seal, and gone with it
Key = dict[str, str | int]
_MARK = b"\nsha256="  # then 64 hexadecimal digits
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)  # of np.load


def read_table(path: Path, key: Key, *, what: str, remedy: str) -> dict[str, np.ndarray]:
    """Arrays by name; `what` the file is and the `remedy` end the error of one that is damaged or stale."""
    try:
        content = path.read_bytes()
        table, mark, digest = content.rpartition(_MARK)
        if mark and hashlib.sha256(table).hexdigest().encode() != digest:
            raise CgdmerError(f"{what} {path} differs from what was written (its sha256); {remedy}")
        with np.load(io.BytesIO(table if mark else content), allow_pickle=False) as file:
            found = parse_json(str(file["key"]).encode(), path, remedy=remedy)
            arrays = {name: file[name] for name in file.files if name != "key"}
    except CgdmerError:
        raise
    except _UNREADABLE as error:
        raise CgdmerError(f"{what} {path} cannot be read ({error}); {remedy}") from error
    differing = [field for field, value in key.items() if not isinstance(found, dict) or found.get(field) != value]
    if differing:
        raise CgdmerError(f"{what} {path} is stale (other {', '.join(differing)}); {remedy}")
    return arrays


def write_table(path: Path, key: Key, arrays: dict[str, np.ndarray]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, key=np.array(json.dumps(key)), **arrays)
    table = buffer.getvalue()
    write_whole(path, table + _MARK + hashlib.sha256(table).hexdigest().encode())
