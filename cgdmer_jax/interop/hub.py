"""Files of a Hugging Face hub repository, where the network allows."""

import re
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.errors import CgdmerError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def is_hub_id(name: str | Path) -> bool:
    """True for a string `owner/name`; a Path is never one."""
    return isinstance(name, str) and _HUB_ID.fullmatch(name) is not None


def snapshot(hub_id: str, *, patterns: Sequence[str], needed: str) -> Path:
    """Folder with the files of that repository that fit a pattern; `needed` tells what to place by hand without it."""
    from huggingface_hub import snapshot_download  # only who asks the hub waits for it

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:  # no network, nothing of that name; a name that the hub refuses
        reason = str(error).strip().splitlines()[0]
        raise CgdmerError(
            f"{hub_id} is no folder here, and could not be fetched from the Hugging Face hub ({type(error).__name__}: "
            f"{reason}); without network place {needed} in a folder and give its path"
        ) from error
