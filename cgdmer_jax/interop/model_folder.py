"""A folder of a model as it is written: whole or not at all, and never over another."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.whole_file import UNFINISHED


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill in the block, which gets its name when that ends well; else nothing of it stays.

    Two that write the same folder at once do not meet: the first to end has it. Raises CgdmerError where something
    stands there already, and an OSError that names the folder where the disk is full.
    """
    if os.path.lexists(folder):
        raise CgdmerError(f"{folder} exists already; name a new folder, a model is never written over")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f"{folder.name}.{token_hex(8)}{UNFINISHED}")  # only a kill leaves it; it may be deleted
    try:
        part.mkdir()
        yield part
        if os.path.lexists(folder):  # an empty folder too, which a rename would replace
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(part, folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) and os.path.lexists(folder):
            raise CgdmerError(
                f"{folder} was written by another program in the meantime, and was left alone; name a new folder"
            ) from error
        error.filename = str(folder)  # not the folder that is gone
        raise
