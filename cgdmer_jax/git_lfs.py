"""Git LFS pointers: the few lines of text that lie where `git lfs pull` has not yet fetched a large file."""

from pathlib import Path

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.whole_file import open_plain

_BEGINNING = b"version https://git-lfs.github.com/spec/"
MOST_BYTES = 1024  # of a pointer
POINTER = "is a Git LFS pointer in place of the file itself; run git lfs pull in its repository"


def is_pointer(content: bytes) -> bool:
    """True of the bytes of a pointer, or of their beginning."""
    return content.startswith(_BEGINNING)


def refuse_pointer(path: Path) -> None:
    """Raises where the file is a pointer; what else keeps it from being read, its reading will say."""
    try:
        with open_plain(path) as file:
            beginning = file.read(len(_BEGINNING))
    except OSError:
        return
    if is_pointer(beginning):
        raise CgdmerError(f"{path} {POINTER}")
