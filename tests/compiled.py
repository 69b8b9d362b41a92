"""A cache of compiled programs for each process that runs tests and the commands that its tests start.

Workers have one each: JAX writes an entry in place, and another worker could read half of it.
"""

import os
import shutil
import tempfile

FOLDER = "JAX_COMPILATION_CACHE_DIR"
LEAST_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
OURS = "CGDMER_TESTS_COMPILED"  # tells a worker that the folder in its environment is that of pytest's first process
_made: list[str] = []


def keep() -> None:
    """Names a new folder in the environment, for JAX here and in commands, unless the user named one."""
    if FOLDER in os.environ and OURS not in os.environ:
        return
    _made.append(tempfile.mkdtemp(prefix="cgdmer-compiled-"))
    # What compiles faster is hardly ever compiled twice, and to write it costs as much.
    os.environ |= {FOLDER: _made[-1], LEAST_SECONDS: "0.3", OURS: "1"}


def forget() -> None:
    """Deletes what this process made."""
    while _made:
        shutil.rmtree(_made.pop())
