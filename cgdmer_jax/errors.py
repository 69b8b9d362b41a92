"""The one error a user is meant to read: what is wrong, where, and what to do."""

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from cgdmer_jax.invocation import as_started

LONGEST_WORD = 255  # characters: as long as a file's name may be
LONGEST_LINE = 2000  # what a damaged file holds in place of a number has no bound
MOST_NAMES = 10_000  # in a folder whose names are compared with a misspelt one
_BREAK = re.compile(r"\n(?!  )")  # a name in a file may hold one; the lines of a table begin with two blanks
_LONG_WORD = re.compile(rf"""[^\s/"',:;]{{{LONGEST_WORD + 1},}}""")
_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # categories of Unicode


class CgdmerError(ValueError):
    """Bad input or a bad request, a ValueError: one sentence says what is wrong, where, and what to do.

    The sentence may name a command as `experiments.NAME`; the user reads it as it can be started here.
    """

    def __str__(self) -> str:
        return brief(_BREAK.sub(r"\\n", visible(as_started(super().__str__()))))


def visible(text: str) -> str:
    """The text with what would steer a terminal or a browser spelled out: ESC as \\x1b, a turned direction as \\u202e.

    That is every control, format and separator character and half of a surrogate pair, but for line ends and tabs.
    """
    return "".join(_spelled(c) if unicodedata.category(c) in _STEERING and c not in "\n\t" else c for c in text)


def brief(text: str) -> str:
    """The text without the middle of words and lines that nobody reads to their end."""
    text = _LONG_WORD.sub(lambda found: f"{found[0][:80]}... ({len(found[0]):,} characters)", text)
    return "\n".join(_brief_line(line) for line in text.split("\n"))


def _brief_line(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 3 :]}"


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()


def suggest(name: str, known: Iterable[str]) -> str:
    """' Did you mean "x"?' for the nearest known name, else the list of known names."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if nearest:
        return f' Did you mean "{nearest[0]}"?'
    return f" Known: {', '.join(known)}."


def near_path(path: str | Path) -> str:
    """'. Did you mean "models/quickstart"?' for what is there under nearly that path; empty where nothing is."""
    path = Path(path)
    there = next((one for one in (path, *path.parents) if os.path.exists(one)), None)
    if there is None or there == path:
        return ""
    missing, *rest = path.relative_to(there).parts
    try:
        names = os.listdir(there)
    except OSError:  # a file, or a folder that this user may not look into: nothing to suggest
        return ""
    if len(names) > MOST_NAMES:
        return ""
    for name in difflib.get_close_matches(missing, names, n=3, cutoff=0.6):
        if os.path.exists(found := there.joinpath(name, *rest)):
            return f'. Did you mean "{found}"?'
    return ""


def reason_of(error: Exception) -> str:
    """The system's own words on one line, without the paths that TensorStore and Orbax put before them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    of_system = re.search(r"([^:\[\]\n]+) \[os_error_code", str(error))
    return of_system[1].strip() if of_system else str(error).strip().partition("\n")[0][:200]
