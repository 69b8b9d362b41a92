"""Git LFS pointers: the few lines of text that lie where `git lfs pull` has not yet fetched a large file."""

from pathlib import Path

_BEGINNING = b"version https://git-lfs.github.com/spec/"
MOST_BYTES = 1024  # of a pointer
POINTER = "is a Git LFS pointer in place of the file itself; run git lfs pull in its repository"


def is_pointer(content: bytes) -> bool:
    """True of the bytes of a pointer, or of their beginning."""
    return content.startswith(_BEGINNING)


def pointer_lies_at(path: Path) -> bool:
    """Whether the file is a pointer; False also where it cannot be read, which its reading will say."""
    try:
        with path.open("rb") as file:
            return is_pointer(file.read(len(_BEGINNING)))
    except OSError:
        return False
