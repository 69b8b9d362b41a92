"""Files and folders that are whole or absent: written beside their place under another name, then renamed into it."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from cgdmer_jax.errors import CgdmerError

UNFINISHED = ".unfinished"  # how a file under way is called; only a kill leaves one, and it may be deleted


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that comes to stand at `path` when the block ends well; until then what stood there stays.

    Synced before the rename: after a power cut, too, no name leads to half a file.
    """
    unfinished = _unfinished(path)
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)  # after a full disk or Ctrl-C a part would keep its space
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write that fails does not say where
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder that comes to stand at `path` when the block ends well; else nothing of it stays.

    Two that write the same folder at once do not meet: the first to end has it. Raises CgdmerError where something
    stands at `path` already.
    """
    if os.path.lexists(path):
        raise CgdmerError(f"{path} exists already; name a new folder, a model is never written over")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(_unfinished(path).name.removesuffix(UNFINISHED) + f".{token_hex(4)}{UNFINISHED}")
    try:
        unfinished.mkdir()
        yield unfinished
        if os.path.lexists(path):  # an empty folder too, which a rename would replace
            raise FileExistsError(errno.EEXIST, "")
        os.rename(unfinished, path)
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)  # after a full disk or Ctrl-C a part would keep its space
        if isinstance(error, OSError):
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(path):
                raise CgdmerError(
                    f"{path} was written by another program in the meantime; it was left alone: name a new folder"
                ) from error
            error.filename = str(path)  # not the folder that is gone
        raise


def try_out(path: Path) -> None:
    """Raises the OSError that `whole_file` would, of permissions, name or disk; leaves nothing behind."""
    _unfinished(path).open("wb").close()
    _unfinished(path).unlink()


def _unfinished(path: Path) -> Path:
    # Host and process in the name: two that write the same cache do not write into each other's file.
    return path.with_name(f"{path.name}.{os.uname().nodename}.{os.getpid()}{UNFINISHED}")


def write_whole(path: Path, content: str | bytes) -> None:
    """Text in UTF-8, or bytes."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(value, indent=1) + "\n")
