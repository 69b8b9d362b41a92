"""Files of a Hugging Face hub repository, named `hf://owner/name@revision`: no other name is a download."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, near_path

FORM = "hf://owner/name@revision"
_SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")


def is_hub_address(name: str | Path) -> bool:
    """True for a string that begins with hf://; a Path never does."""
    return isinstance(name, str) and name.startswith(_SCHEME)


def local_folder(name: object, missing: str) -> Path:
    """The folder of that path; `missing` is told where there is none, with what may have been meant."""
    if not isinstance(name, str | os.PathLike) or not os.fspath(name):
        raise CgdmerError(f"the name of a model is {name!r}, expected the path of a folder, or {FORM}")
    folder = Path(os.path.expanduser(name))
    if folder.is_file():
        raise CgdmerError(f"{name} is a file; give its folder, {folder.parent}")
    if not folder.is_dir():
        raise CgdmerError(f"{missing}{near_path(folder) or _hub_hint(name)}")
    return folder


def _hub_hint(name: object) -> str:
    """The hub address that a name may have been meant for; one of a folder that is there was meant for a path."""
    looks_like_id = isinstance(name, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    if not looks_like_id or Path(name).parent.is_dir():
        return ""
    return f"; if the Hugging Face hub is meant, write {_SCHEME}{name}@REVISION"


def snapshot(address: str, *, patterns: Sequence[str], needed: str) -> Path:
    """Folder with the files of that repository that fit a pattern; `needed` says what to place by hand without it."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise CgdmerError(
            f"{address} is not of the form {FORM}; give the commit of the repository (or a tag of it), so that the "
            "same files are read every time"
        )
    from huggingface_hub import snapshot_download  # only who asks the hub waits for it

    print(f"{address}: asking the Hugging Face hub")
    try:
        folder = snapshot_download(found["repository"], revision=found["revision"], allow_patterns=list(patterns))
    except (OSError, ValueError) as error:  # no network, no such repository or revision, a name that the hub refuses
        reason = str(error).strip().partition("\n")[0].split(". ")[0]
        raise CgdmerError(
            f"{address} could not be fetched from the Hugging Face hub ({type(error).__name__}: {reason}); check the "
            f"name, the revision and the network, or place {needed} in a folder and give its path"
        ) from error
    return Path(folder)
