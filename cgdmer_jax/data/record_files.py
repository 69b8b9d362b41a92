"""Files of a record: opened below the collection's folder, and every failure a fault of that record alone.

Whether a fault is really the record's, or the whole collection went away, is for the conversion to find out
(data/unread.py); here each is named for what the system said.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cgdmer_jax.errors import CgdmerError, reason_of

# Why a record was refused; `.problem` of a RecordError is one of these.
RECORD_PROBLEMS = {
    "no_header": "the header file does not exist",
    "no_signal_file": "a signal file that the header names does not exist",
    "unreadable": "a file is there and cannot be read (permission, disk, something else than a file)",
    "outside": "a path leads out of the collection's folder",
    "header": "the header does not follow the WFDB form",
    "multi_segment": "the header lists other records instead of signals",
    "size": "the header announces more than 64 signals or an hour at 1 kHz",
    "rate": "the sampling rate is absent, 0, outside 50..10,000 Hz or not the collection's",
    "length": "the number of samples is absent, 0 or not what the signal file holds",
    "format": "the storage format is not read, or wfdb cannot decode the file",
    "gain": "the gain of a lead is absent, 0 or no number: the lead is uncalibrated",
    "unit": "the unit of a lead is not V, mV or uV",
    "lead_names": "two signals carry the name of one lead",
    "unknown_leads": "no signal carries the name of a standard lead",
    "checksum": "the samples do not add up to the header's checksum",
}
_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


class RecordError(CgdmerError):
    """A record that cannot be trusted: which, which header field, and `problem`, a key of RECORD_PROBLEMS."""

    def __init__(self, record: str, field: str, problem: str, sentence: str):
        assert problem in RECORD_PROBLEMS, problem
        super().__init__(f"record {record}: {sentence}")
        self.record, self.field, self.problem = record, field, problem
        self._sentence = sentence

    def __reduce__(self):
        # Errors cross process borders in conversion; the default would call __init__ with one argument.
        return type(self), (self.record, self.field, self.problem, self._sentence)


def listed_path(root: Path, location: str, record_id: str) -> Path:
    """Path that a table gives for a record; an absolute one, or one that climbs out with "..", raises."""
    parts = PurePosixPath(location).parts
    if not parts or PurePosixPath(location).is_absolute() or ".." in parts:
        sentence = f'its table places it at "{location}", which is not below the folder of the table; correct the table'
        raise RecordError(str(root / record_id), "path", "outside", sentence)
    return root / location


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


def file_fault(record: Path, file: Path, missing: str, error: OSError) -> RecordError:
    """What the system said about a file, as a fault of its record."""
    field = "header" if missing == "no_header" else "file name"
    if error.errno in _MISSING:
        return RecordError(str(record), field, missing, f"{file} does not exist; fetch the record again")
    sentence = f"{file} cannot be read ({reason_of(error)}); look at its permissions and its disk"
    return RecordError(str(record), field, "unreadable", sentence)


def _status(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except ValueError as error:  # a NUL in a name out of a table
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file)) from error
