"""Huge pages for a command: each training step takes hundreds of megabytes anew, which in pages of 4 KiB costs a fifth
of a step on a CPU (docs/performance.md).

Only glibc can ask for them, and it reads what it is to do when a process starts. So a command starts itself anew, as
the same process, with GLIBC_TUNABLES saying so. The library does not touch them.
"""

import os
import sys
from pathlib import Path

TUNABLES, HUGE = "GLIBC_TUNABLES", "glibc.malloc.hugetlb"
FIRST_GLIBC = (2, 35)  # that has it
ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def start_again_with_them() -> None:
    """Starts this process anew where that gives it huge pages; else, and the second time, does nothing.

    Where the kernel gives them to all (always) or to none (never) there is nothing to ask for. A GLIBC_TUNABLES that
    names glibc.malloc.hugetlb is left as it is: =0 turns this off.
    """
    asked = os.environ.get(TUNABLES, "")
    if HUGE in asked or not sys.executable or not _are_given_on_request():
        return
    if sys.orig_argv[len(sys.orig_argv) - len(sys.argv[1:]) :] != sys.argv[1:]:  # a command called within a process
        return
    given = {**os.environ, TUNABLES: ":".join(filter(None, (asked, f"{HUGE}=1")))}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], given)


def _are_given_on_request() -> bool:
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION").removeprefix("glibc ")
        new_enough = tuple(int(part) for part in version.split(".")[:2]) >= FIRST_GLIBC
        return new_enough and "[madvise]" in ENABLED.read_text()
    except (OSError, ValueError, AttributeError):  # another C library or system
        return False
