"""Memory in huge pages for the commands: each training step allocates hundreds of megabytes of temporaries, and on a
CPU mapping them in pages of 4 KiB takes a noticeable part of the step (docs/performance.md).

glibc decides when a process starts, by GLIBC_TUNABLES. So a command sets it and executes itself again, in the same
process. The library leaves the process alone.
"""

import os
import sys
from pathlib import Path

TUNABLES, HUGE = "GLIBC_TUNABLES", "glibc.malloc.hugetlb"
FIRST_GLIBC = (2, 35)  # that has it
ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def start_again_with_them() -> None:
    """Executes this process's program again where that gives it huge pages; otherwise returns at once.

    There is nothing to ask for where the kernel gives them to every process (always) or to none (never). A
    GLIBC_TUNABLES that sets glibc.malloc.hugetlb is left as it is, so that =0 turns this off.
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
