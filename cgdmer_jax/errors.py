"""The one error a user is meant to read: what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class CgdmerError(ValueError):
    """Bad input or a bad request, told in one sentence (what, where, what to do)."""


def suggest(name: str, known: Iterable[str]) -> str:
    """' Did you mean "x"?' for the nearest known name, else the list of known names."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if nearest:
        return f' Did you mean "{nearest[0]}"?'
    return f" Known: {', '.join(known)}."
