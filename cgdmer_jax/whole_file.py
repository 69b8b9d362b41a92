"""Files that are whole or absent: written beside their place under another name, then renamed into it."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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


def open_plain(path: Path) -> BinaryIO:
    """The file, opened for reading; a pipe, which would wait for its writer, or a device is an OSError."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return file


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(value, indent=1) + "\n")
