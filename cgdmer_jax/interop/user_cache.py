"""The user's cache folder: what this machine worked out once and could work out again, such as compiled programs.

The folder is `cgdmer_jax` in XDG_CACHE_HOME or ~/.cache, or what CGDMER_CACHE names; CGDMER_CACHE=off uses none. What
lies there is run, so a folder that others may write to is left alone. An entry is whole, sealed with its sha256, or
taken as absent; a folder that cannot be read or written costs time and is no error.
"""

import contextlib
import hashlib
import os
import stat
import threading
from pathlib import Path

from cgdmer_jax.whole_file import open_plain, write_whole

VARIABLE, OFF = "CGDMER_CACHE", "off"
MOST_BYTES = 1 << 28  # of all entries together; the one not used for the longest time goes first
_DIGEST_BYTES = 32
_writing = threading.Lock()  # threads of a process would write into one unfinished file


def read(name: str) -> bytes | None:
    """The content of that entry; None where there is none, or a damaged one."""
    folder = _folder()
    if folder is None:
        return None
    try:
        if not _is_private(folder):
            return None
        with open_plain(folder / name) as file:
            content = file.read(MOST_BYTES)
        os.utime(folder / name)  # when it was last of use
    except OSError:
        return None
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def write(name: str, content: bytes) -> None:
    """Keeps the content under that name, in place of whatever else is there."""
    folder = _folder()
    if folder is None or len(content) > MOST_BYTES // 2:
        return
    with _writing, contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(folder):
            write_whole(folder / name, hashlib.sha256(content).digest() + content)
            _make_room(folder)


def _folder() -> Path | None:
    given = os.environ.get(VARIABLE, "")
    if given == OFF:
        return None
    if given:
        return Path(given).expanduser()
    above = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(above):  # the XDG specification ignores others
        above = os.path.expanduser("~/.cache")
    return Path(above) / "cgdmer_jax" if os.path.isabs(above) else None  # a user without a home


def _is_private(folder: Path) -> bool:
    status = os.stat(folder)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _make_room(folder: Path) -> None:
    """Removes the oldest entries beyond MOST_BYTES, and with them in time what a kill left unfinished."""
    found = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= MOST_BYTES:
            return
        Path(path).unlink(missing_ok=True)  # another process may have been first
        total -= size
