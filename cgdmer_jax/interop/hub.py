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

    print(f"there is no folder {hub_id} here: asking the Hugging Face hub for the repository of that name")
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:  # no network, nothing of that name; a name that the hub refuses
        reason = str(error).strip().splitlines()[0].split(". ")[0]
        raise CgdmerError(
            f"{hub_id} is neither a folder here nor a repository that the Hugging Face hub gave "
            f"({type(error).__name__}: {reason}); if a folder was meant, mend its path, and if the hub was, see that "
            f"there is network, or place {needed} in a folder and give its path"
        ) from error
