"""Files of a Hugging Face hub repository, named `hf://owner/name@revision`: no other name is a download."""

import re
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.errors import CgdmerError

FORM = "hf://owner/name@revision"
_SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")


def is_hub_address(name: str | Path) -> bool:
    """True for a string that begins with hf://; a Path never does."""
    return isinstance(name, str) and name.startswith(_SCHEME)


def hub_hint(name: str | Path) -> str:
    """End of an error about a missing folder: the hub address that the name may have been meant for."""
    looks_like_id = isinstance(name, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    return f"; if the Hugging Face hub is meant, write {_SCHEME}{name}@REVISION" if looks_like_id else ""


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
