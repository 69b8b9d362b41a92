"""manifest.json of a checkpoint: the sha256 of every file, the shape and dtype of every array.

Orbax alone loads flipped bits and casts dtypes in silence.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.fields import REQUIRED, Checked, check_names, check_values, setting
from cgdmer_jax.json_file import read_json
from cgdmer_jax.metrics_file import MOST_STEPS
from cgdmer_jax.whole_file import sha256_of, write_whole

MANIFEST = "manifest.json"
REMEDY = "this checkpoint is not used"


@dataclass(frozen=True)
class Manifest(Checked):
    """Fields of manifest.json."""

    step: int = setting(REQUIRED, "step after which it was written", least=0, most=MOST_STEPS)
    validation_loss: float | None = setting(REQUIRED, "loss of the validation at that step, null where there was none")
    arrays: dict = setting(REQUIRED, "shape and dtype of each array")
    files: dict = setting(REQUIRED, "sha256 of each file, by its path in the folder")


class DamagedCheckpoint(CgdmerError):
    """A file of a checkpoint is not what was written."""


def write_manifest(folder: Path, step: int, validation_loss: float | None, arrays: dict[str, list]) -> None:
    """Describes what is in the folder; renamed into place, so that it is whole or absent."""
    files = {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    manifest = {"step": step, "validation_loss": validation_loss, "arrays": arrays, "files": files}
    files[MANIFEST] = own_sha256(manifest)
    write_whole(folder / MANIFEST, json.dumps(manifest))


def read_manifest(folder: Path) -> dict:
    """The manifest, if it has the hash that it holds of itself."""
    path = folder / MANIFEST
    try:
        manifest = read_json(path, remedy=REMEDY)
        check_names(Manifest, manifest, f"{path}: ", remedy=REMEDY)
        if not isinstance(manifest["files"], dict) or manifest["files"].get(MANIFEST) != own_sha256(manifest):
            raise _damaged(path, "differs from what was written (sha256)")
        loss = manifest["validation_loss"]  # NaN or infinite where that validation diverged
        odd = {"validation_loss": None} if isinstance(loss, float) and not math.isfinite(loss) else {}
        check_values(Manifest, manifest | odd, f"{path}: ", remedy=REMEDY)
    except DamagedCheckpoint:
        raise
    except CgdmerError as error:
        raise DamagedCheckpoint(str(error)) from error
    for name, described in manifest["arrays"].items():
        if not _is_description(described):
            raise _damaged(path, f"does not tell the shape and dtype of {name}")
    for name in manifest["files"]:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise _damaged(path, f"names the file {name}, which is not in its folder")
    return manifest


def _is_description(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    shape, dtype = value
    sizes = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    return sizes and isinstance(dtype, str)


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


def own_sha256(manifest: dict) -> str:
    """Hash of the manifest without its own entry."""
    files = {name: sha256 for name, sha256 in manifest["files"].items() if name != MANIFEST}
    return hashlib.sha256(json.dumps(manifest | {"files": files}, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path, problem: str) -> DamagedCheckpoint:
    return DamagedCheckpoint(f"{path} {problem}; {REMEDY}")
