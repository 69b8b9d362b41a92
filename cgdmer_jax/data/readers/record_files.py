"""Files of a record: opened below the collection's folder, and every failure a fault of that record alone.

Whether a fault is really the record's, or the whole collection went away, is for the conversion to find out
(data/store/unread.py); here each is named for what the system said.
"""

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cgdmer_jax import git_lfs
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.errors import reason_of

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


def listed_path(root: Path, location: str, record_id: str) -> Path:
    """Path that a table gives for a record; an absolute one, or one that climbs out with "..", raises."""
    parts = PurePosixPath(location).parts
    if not parts or PurePosixPath(location).is_absolute() or ".." in parts:
        sentence = f'its table places it at "{location}", which is not below the folder of the table; correct the table'
        raise RecordError(str(root / record_id), "path", "outside", sentence)
    return root / location


def beside(folder: Path, name: str) -> Path:
    """The file of that name in the folder, whichever way its letters are spelled there.

    "ü" is one character or "u" and a mark (macOS), and in old archives a byte of Latin-1.
    """
    if not name.isascii():
        spellings = [name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]
        try:
            spellings.append(os.fsdecode(unicodedata.normalize("NFC", name).encode("latin-1")))
        except UnicodeEncodeError:  # letters that Latin-1 lacks
            pass
        for spelling in spellings:
            if os.path.lexists(folder / spelling):
                return folder / spelling
    return folder / name


def plain_name(name: str) -> str:
    """One spelling of a file name for all that `beside` finds under it."""
    return unicodedata.normalize("NFC", text_of(os.fsencode(name)))


def text_of(content: bytes) -> str:
    """Text in UTF-8, with or without a byte order mark, or else in Latin-1, which is never wrong about its bytes."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


@contextmanager
def open_record_file(record: Path, file: Path, missing: str, root: Path | None) -> Iterator[BinaryIO]:
    """Opens a file of the record for reading; `missing` is the problem when it does not exist.

    With `root` the file must lie below it once links are followed.
    """
    try:
        # The kind first: opening a pipe would wait for its writer.
        if not stat.S_ISREG(_status(file).st_mode):
            raise RecordError(str(record), "file name", "unreadable", f"{file} is not a file; fetch the record again")
        if root is not None and not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(root)):
            sentence = (
                f"{file} is, or lies behind, a link to outside of the collection; copy the file or use --follow_links"
            )
            raise RecordError(str(record), "file name", "outside", sentence)
        with file.open("rb") as opened:
            yield opened
    except OSError as error:
        raise file_fault(record, file, missing, error) from error


def refuse_pointer(record: Path, file: Path, missing: str, beginning: bytes) -> None:
    """Raises where the file begins as a Git LFS pointer: it is there in name alone."""
    if git_lfs.is_pointer(beginning):
        raise RecordError(str(record), _field(missing), missing, f"{file} {git_lfs.POINTER}")


def file_fault(record: Path, file: Path, missing: str, error: OSError) -> RecordError:
    """Turns a system error about a file into an error of its record."""
    field = _field(missing)
    if error.errno in _MISSING:
        remedy = "name a record in that folder" if os.path.isdir(record) else "fetch the record again"
        return RecordError(str(record), field, missing, f"{file} does not exist; {remedy}")
    sentence = f"{file} cannot be read ({reason_of(error)}); look at its permissions and its disk"
    return RecordError(str(record), field, "unreadable", sentence)


def _field(missing: str) -> str:
    return "header" if missing == "no_header" else "file name"


def _status(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except ValueError as error:  # a NUL in a name out of a table
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file)) from error
