"""The one error a user is meant to read: what is wrong, where, and what to do."""

import difflib
import re
from collections.abc import Iterable

from cgdmer_jax.invocation import as_started


class CgdmerError(ValueError):
    """Bad input or a bad request, a ValueError: one sentence says what is wrong, where, and what to do.

    The sentence may name a command as `experiments.NAME`; the user reads it as it can be started here.
    """

    def __str__(self) -> str:
        return as_started(super().__str__())


def suggest(name: str, known: Iterable[str]) -> str:
    """' Did you mean "x"?' for the nearest known name, else the list of known names."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if nearest:
        return f' Did you mean "{nearest[0]}"?'
    return f" Known: {', '.join(known)}."


def reason_of(error: Exception) -> str:
    """The system's own words on one line, without the paths that TensorStore and Orbax put before them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    of_system = re.search(r"([^:\[\]\n]+) \[os_error_code", str(error))
    return of_system[1].strip() if of_system else str(error).strip().partition("\n")[0][:200]
