"""Types of the arguments that are paths: `~` is the home folder, and an output is tried out before any work begins."""

import argparse
import os
import re
import tempfile
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, near_path, reason_of
from cgdmer_jax.whole_file import try_out


class PathError(CgdmerError, argparse.ArgumentTypeError):
    """argparse shows the sentence of an ArgumentTypeError as it is; of another error it shows nothing."""


def names(text: str) -> str:
    """One folder or several by comma, NAME=FOLDER, --config.a.b=FOLDER, or an address (hf://owner/name@revision)."""
    return re.sub(r"(?<![^,=('\"])~(?=/|$)", os.path.expanduser("~"), text)


def path(text: str | Path) -> Path:
    """A path to be read, or made by a command that says itself when it cannot."""
    return Path(os.path.expanduser(text))


def input_folder(text: str | Path) -> Path:
    """A folder that exists."""
    found = path(text)
    if os.path.isfile(found):
        raise PathError(f"{found} is a file; give its folder")
    if not os.path.isdir(found):
        raise PathError(f"there is no folder {found}; give the one that holds what is to be read{near_path(found)}")
    return found


def output_file(text: str | Path) -> Path:
    """A file that can be written; its folder is made."""
    file = path(text)
    if os.path.isdir(file):
        raise PathError(f"{file} is a folder; name a file in it")
    if os.path.lexists(file) and not os.path.isfile(file):
        raise PathError(f"{file} is there and is no plain file; name another one")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try_out(file)
    except FileExistsError as error:
        raise PathError(f"{file} cannot be written ({file.parent} is no folder); name another file") from error
    except OSError as error:
        raise PathError(f"{file} cannot be written ({reason_of(error)}); name another file") from error
    return file


def output_folder(text: str | Path) -> Path:
    """A folder that can be written to, or made."""
    folder = path(text)
    above = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise PathError(f"nothing can be written to {folder} ({reason_of(error)}); name another folder") from error
    return folder


def new_folder(text: str) -> Path:
    """A folder that does not exist yet and can be made."""
    folder = output_folder(text)
    if os.path.lexists(folder):
        raise PathError(f"{folder} exists already; name a new folder, nothing is written over")
    return folder


def check_apart(out: Path, *inputs: Path) -> None:
    """Refuses an output that is one of the files to be read."""
    for file in inputs:
        if out.exists() and file.exists() and out.samefile(file):
            raise CgdmerError(f"the output {out} is a file that is read; name another one")
