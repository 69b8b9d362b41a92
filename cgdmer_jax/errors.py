"""The one error a user is meant to read: what is wrong, where, and what to do."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

from cgdmer_jax.invocation import as_started

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # categories of Unicode


class CgdmerError(ValueError):
    """Bad input or a bad request, a ValueError: one sentence says what is wrong, where, and what to do.

    The sentence may name a command as `experiments.NAME`; the user reads it as it can be started here.
    """

    def __str__(self) -> str:
        return visible(as_started(super().__str__()))


def visible(text: str) -> str:
    """The text with what would steer a terminal or a browser spelled out: ESC as \\x1b, a turned direction as \\u202e.

    That is every control, format and separator character and half of a surrogate pair, but for line ends and tabs.
    """
    return "".join(_spelled(c) if unicodedata.category(c) in _STEERING and c not in "\n\t" else c for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()


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
