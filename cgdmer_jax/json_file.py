"""Reading of JSON files that somebody else may have written or damaged: bounded, and every failure one sentence."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from cgdmer_jax import git_lfs
from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.whole_file import open_plain

MOST_BYTES = 1 << 26  # a parsed file takes up to some 30 times its bytes of memory
DEEPEST = 64  # brackets within brackets; our own files need at most 7
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))


def read_json(path: Path, *, remedy: str, most_bytes: int = MOST_BYTES) -> object:
    """Content of a JSON file; the caller looks at types and names.

    `remedy` says what to do about a damaged file, as the end of a sentence: "copy the store again".
    """
    return parse_json(read_bounded(path, remedy=remedy, most_bytes=most_bytes), path, remedy=remedy)


def read_bounded(path: Path, *, remedy: str, most_bytes: int = MOST_BYTES) -> bytes:
    """Bytes of a file that is not larger than expected, for example to compare them before `parse_json`."""
    try:
        if not path.is_file():  # a pipe would block, a folder has no bytes
            raise CgdmerError(f"{path} is {'not a file' if path.exists() else 'missing'}; {remedy}")
        with open_plain(path) as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); {remedy}") from error
    if git_lfs.is_pointer(content):
        raise CgdmerError(f"{path} {git_lfs.POINTER}")
    if len(content) > most_bytes:
        raise CgdmerError(f"{path} has more than the {most_bytes} bytes that are read of such a file; {remedy}")
    return content


def parse_json(content: bytes, path: Path, *, remedy: str) -> object:
    """Value of UTF-8 JSON; refuses repeated names and deep nesting, which the parser answers with RecursionError."""
    if _depth(content) > DEEPEST:
        raise CgdmerError(f"{path} is nested more than {DEEPEST} deep; {remedy}")
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
        if b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair could not be printed later
    except ValueError as error:
        raise CgdmerError(f"{path} is not valid JSON ({_problem(error)}); {remedy}") from error
    return value


def own_sha256(fields: dict, without: str) -> str:
    """sha256 of a JSON object but for the field that holds this hash; spaces and the order of names do not count."""
    rest = {name: value for name, value in fields.items() if name != without}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _depth(content: bytes) -> int:
    brackets = np.frombuffer(_STRING.sub(b"", content).translate(None, _NOT_BRACKETS), dtype=np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return int(np.max(np.cumsum(steps), initial=0))


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"{name[:80]!a} stands twice in one object")
        fields[name] = value
    return fields


def _problem(error: ValueError) -> str:
    return "not UTF-8" if isinstance(error, UnicodeError) else str(error).partition("\n")[0][:200]
