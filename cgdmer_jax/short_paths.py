"""Words without the folders of the machine that they were typed on: what is written into results travels."""

import re
import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

_IN_LIST = re.compile(r"""([,()\[\]'"])""")
_IN_VALUE = re.compile(r"([,=])")  # paths by comma, NAME=FOLDER


def short_words(words: Iterable[str]) -> list[str]:
    """Words of a command line; of `--flag=VALUE` the value alone is looked at."""
    return [flag + short(value) for flag, value in map(_split, words)]


def short_line(line: str) -> str:
    """The same of a command line that was written down; one that no shell would take is cut at its spaces."""
    try:
        return shlex.join(short_words(shlex.split(line)))
    except ValueError:
        return " ".join(short_words(line.split()))


def short(value: str) -> str:
    """`/home/me/stores/a` -> `.../a`: the last part of an absolute path, a file: address, one with `~` or `..`.

    Relative paths stay as they are. It does not depend on the current folder, so that equal paths stay equal.
    """
    pieces = (_IN_LIST if value[:1] in ("(", "[") else _IN_VALUE).split(value)
    return "".join(f".../{PurePosixPath(piece).name}" if _tells_a_place(piece) else piece for piece in pieces)


def short_fields(fields: dict[str, object]) -> dict[str, object]:
    """A flat config: every text of it, in lists too."""
    return {name: _short_value(value) for name, value in fields.items()}


def _short_value(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_short_value(one) for one in value]
    return short(value) if isinstance(value, str) else value


def _split(word: str) -> tuple[str, str]:
    flag, equals, value = word.partition("=")
    return (flag + equals, value) if equals and word.startswith("-") else ("", word)


def _tells_a_place(piece: str) -> bool:
    return piece.startswith(("/", "~", "file:")) or ".." in PurePosixPath(piece).parts
