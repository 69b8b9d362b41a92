"""A disk that fills up in the middle of a write: the system itself takes some bytes of a file and refuses the rest."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """Writes of this process beyond the first `n_bytes` of any file fail, in C++ too.

    The limit on the size of a file stands for a full disk: the same system call fails after the same partial write,
    with "File too large" in place of "No space left on device".
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
