"""manifest.json of a checkpoint: the sha256 of every file, the shape and dtype of every array.

Orbax alone loads flipped bits and casts dtypes in silence.
"""

import hashlib
import json
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.json_file import read_json
from cgdmer_jax.whole_file import sha256_of, write_whole

MANIFEST = "manifest.json"
FIELDS = {"step", "validation_loss", "arrays", "files"}


class DamagedCheckpoint(CgdmerError):
    """A file of a checkpoint is not what was written."""


def write_manifest(folder: Path, step: int, validation_loss: float | None, arrays: dict[str, list]) -> None:
    """Describes what is in the folder; renamed into place, so that it is whole or absent."""
    files = {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    manifest = {"step": step, "validation_loss": validation_loss, "arrays": arrays, "files": files}
    files[MANIFEST] = _own_sha256(manifest)
    write_whole(folder / MANIFEST, json.dumps(manifest))


def read_manifest(folder: Path) -> dict:
    """The manifest, if it has the hash that it holds of itself."""
    path = folder / MANIFEST
    try:
        manifest = read_json(path, remedy="this checkpoint is not used")
    except CgdmerError as error:
        raise DamagedCheckpoint(str(error)) from error
    if not isinstance(manifest, dict) or manifest.keys() != FIELDS or not isinstance(manifest["files"], dict):
        raise _damaged(path, f"does not hold exactly {', '.join(sorted(FIELDS))}")
    if manifest["files"].get(MANIFEST) != _own_sha256(manifest):
        raise _damaged(path, "differs from what was written (sha256)")
    return manifest


def verify(folder: Path) -> None:
    """Raises unless every file of the checkpoint, the manifest included, has the hash written down for it."""
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        path = folder / name
        if name == MANIFEST:  # compared already, so that damage to one of its hashes is not blamed on that file
            continue
        if not path.exists():
            raise _damaged(path, "is missing")
        try:
            found = sha256_of(path)
        except OSError as error:  # a bad sector, or a share that lost it
            raise _damaged(path, f"cannot be read ({reason_of(error)})") from error
        if found != expected:
            raise _damaged(path, "differs from what was written (sha256)")


def _own_sha256(manifest: dict) -> str:
    """Hash of the manifest without its own entry."""
    files = {name: sha256 for name, sha256 in manifest["files"].items() if name != MANIFEST}
    return hashlib.sha256(json.dumps(manifest | {"files": files}, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path, problem: str) -> DamagedCheckpoint:
    return DamagedCheckpoint(f"{path} {problem}; this checkpoint is not used")
