"""Mutations of a folder held in memory: of one file's content, or of what stands under a name."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.spoil_bytes import BYTES, TEXT, Mutator
from tests.fuzz.spoil_json import json_changed, json_line_changed

THINGS = ("missing", "folder", "pipe", "link to itself", "link away", "dangling", "renamed", "swapped", "up")


class Odd(NamedTuple):
    """Something else than a file: an empty folder, a link to `to`, a pipe."""

    kind: str
    to: str = ""


Tree = dict[str, bytes | Odd]  # by path below the folder
OfFormat = Callable[[Tree, Random], str | None]  # spoils the tree as only its format can be; None: does not apply


def read_tree(folder: Path) -> Tree:
    """Every file of the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def write_tree(tree: Tree, folder: Path) -> None:
    """Makes the folder anew; what cannot stand under its name, since a file is above it, is left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in tree.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            continue
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.kind == "folder":
            path.mkdir()
        elif content.kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(content.to)


def spoil(tree: Tree, draw: Random, of_format: Sequence[OfFormat], kept: tuple[str, ...]) -> tuple[str, set[str]]:
    """Spoils one thing, now and then two, of the tree in place; says what, and which names.

    Names that begin with one of `kept` stay as they are.
    """
    before, told = dict(tree), []
    if of_format and draw.random() < 0.35 and (one := draw.choice(of_format)(tree, draw)):
        told.append(one)
    for _ in range(draw.choice((1, 1, 1, 2)) - len(told)):
        told.append(_spoil_once(tree, draw, kept))
    return "; ".join(told), {name for name in before.keys() | tree.keys() if before.get(name) != tree.get(name)}


def _spoil_once(tree: Tree, draw: Random, kept: tuple[str, ...]) -> str:
    files = [name for name, content in tree.items() if isinstance(content, bytes)]
    names = sorted(name for name in files if not name.startswith(kept))
    if not names:
        return "nothing is left to spoil"
    part = draw.choice(sorted({name.split("/")[0] for name in names}))  # each as often as one of many files
    names = [name for name in names if name.split("/")[0] == part]
    name = draw.choice(names)
    if draw.random() < 0.1:
        return _other_thing(tree, name, names, draw)
    for _ in range(20):
        found = draw.choice(mutators_for(tree[name], draw))(tree[name], draw)
        if found:
            tree[name] = found[1]
            return f"{name}: {found[0]}"
    return f"{name} is left as it is"


def mutators_for(content: bytes, draw: Random) -> Sequence[Mutator]:
    """Bytes of anything, words and lines of text, values of JSON."""
    kinds: list[Sequence[Mutator]] = [BYTES]
    if b"\0" not in content[:1000]:
        kinds += [TEXT, TEXT]
        if content.lstrip()[:1] in (b"{", b"["):
            kinds += [(json_changed if _is_json(content) else json_line_changed,)] * 4
    return draw.choice(kinds)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):  # nested too deep by an earlier change
        return False
    return True


def _other_thing(tree: Tree, name: str, names: list[str], draw: Random) -> str:
    how = draw.choice(THINGS)
    other = draw.choice(names)
    if how == "missing":
        del tree[name]
    elif how == "renamed":
        tree[draw.choice((name + ".bak", name.swapcase(), "x" + name, other))] = tree.pop(name)
    elif how == "swapped":
        tree[name], tree[other] = tree[other], tree[name]
    elif how == "up":  # a file in the place of the folder above it
        above = name.rpartition("/")[0]
        if above:
            for inner in [one for one in tree if one.startswith(f"{above}/")]:
                del tree[inner]
            tree[above] = b"x"
        else:
            tree[name] = Odd("folder")
    else:
        to = {"link to itself": Path(name).name, "link away": "/etc/hostname", "dangling": "nowhere"}.get(how, "")
        tree[name] = Odd(how if how in ("folder", "pipe") else "link", to)
    return f"{name}: {how}{' with ' + other if how == 'swapped' else ''}"
