"""The name of a collection of one's own: its patients, cleaning rules, prompts and result folders go by it."""

import re

from cgdmer_jax.data.sources import SOURCES
from cgdmer_jax.data.text.prompts import has_prompts
from cgdmer_jax.errors import CgdmerError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_own_name(name: str) -> None:
    """Refuses what is no name of a folder, and the name of a public collection."""
    if not _NAME.fullmatch(name):
        raise CgdmerError(f'the name of the collection is "{name:.80}"; give letters, digits, "_", "-" and "."')
    if name in SOURCES or has_prompts(name):
        raise CgdmerError(f'"{name}" is the name of a public collection, whose rules are others; give another name')
