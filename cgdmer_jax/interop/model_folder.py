"""A folder of a model as it is written: whole or not at all, and never over another."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgdmer_jax.errors import CgdmerError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill in the block, which gets its name when that ends well; refuses one that exists.

    Until then it is NAME.part. What a block that failed has left there is removed by the next one.
    """
    if folder.exists():
        raise CgdmerError(f"{folder} exists already; name a new folder, a model is never written over")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    yield part
    os.replace(part, folder)
