"""JSON objects that hold the sha256 of their own fields, so that what was damaged is named and never used."""

from collections.abc import Mapping
from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import own_sha256, read_json

SEAL = "sha256"


def sealed(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields with their hash, to be written as JSON; the hash is part of the file, so both change in one rename."""
    return dict(fields) | {SEAL: own_sha256(dict(fields), SEAL)}


def unsealed(value: object, where: Path | str, *, remedy: str, required: bool = False) -> dict[str, object]:
    """The fields alone, if they agree with their hash.

    Without one they are of an earlier version, and taken as they are unless it is `required`.
    """
    if not isinstance(value, dict):
        raise CgdmerError(f"{where} is not a JSON object; {remedy}")
    if (required or SEAL in value) and own_sha256(value, SEAL) != value.get(SEAL):
        raise CgdmerError(f"{where} differs from what was written (sha256); {remedy}")
    return {name: field for name, field in value.items() if name != SEAL}


def read_sealed(path: Path, *, remedy: str, required: bool = False) -> dict[str, object]:
    """The fields of that file."""
    return unsealed(read_json(path, remedy=remedy), path, remedy=remedy, required=required)
