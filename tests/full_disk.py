"""A disk that fills up in the middle of a write: the system itself takes some bytes of a file and refuses the rest."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


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


@contextmanager
def disk_of_files(folder: Path, n_files: int) -> Iterator[None]:
    """A file system at `folder` that takes so many files and folders more; skips where this user may not mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size=50m,nr_inodes={n_files + 1}", "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk with few inodes to be had: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
