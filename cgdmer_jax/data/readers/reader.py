"""A format, and what its reader is given and shares: where a recording lies, and what its file may leave unsaid."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cgdmer_jax import git_lfs
from cgdmer_jax.data.readers.record_files import beside, open_record_file, refuse_pointer
from cgdmer_jax.data.readers.recording import RecordError, Recording


@dataclass(frozen=True)
class Hints:
    """Facts that a header would give, for files that have none; what a file says itself goes before them.

    - `rate`: sampling rate in Hz.
    - `leads`: names in the order in which the file stores them.
    - `unit`: of the samples, "V", "mV" or "uV".
    """

    rate: float | None = None
    leads: tuple[str, ...] | None = None
    unit: str | None = None


def names_in_order(text: str | None) -> tuple[str, ...] | None:
    """Leads as a flag names them, by comma."""
    return None if text is None else tuple(name.strip() for name in text.split(","))


@dataclass(frozen=True)
class Location:
    """Where one recording lies.

    - `path`: of its file, or of WFDB its record.
    - `member`: its id or number in a file that holds many (HDF5, NumPy); None where it is alone.
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}#{self.member}"


def fault(location: Location, problem: str, field: str, sentence: str) -> RecordError:
    """The error of a recording, with `problem`, `field` and `sentence` as RecordError has them."""
    return RecordError(str(location), field, problem, sentence)


def one_recording(path: Path, root: Path | None) -> list[Location]:
    """The members of a file whose format holds one recording."""
    return [Location(path)]


@dataclass(frozen=True)
class Format:
    """One format of recordings, as its file in this room declares it.

    - `endings`: of its files, in lower case with the dot.
    - `fits`: whether a file that begins with these bytes is of this format, whatever its ending.
    - `may_fit`: whether one of its endings that begins so may be a recording at all; a table may not.
    - `read`: a location, the folder below which every file must lie (None: anywhere), and hints, to a recording.
    - `members`: the recordings in a file below that folder; RecordError where it cannot be told.
    """

    endings: tuple[str, ...]
    fits: Callable[[bytes], bool]
    read: Callable[[Location, Path | None, Hints], Recording]
    members: Callable[[Path, Path | None], list[Location]] = one_recording
    may_fit: Callable[[bytes], bool] = lambda beginning: True


@contextmanager
def open_recording(location: Location, root: Path | None) -> Iterator[BinaryIO]:
    """The file of a recording, opened; one that is only a Git LFS pointer raises."""
    record, path = Path(str(location)), location.path
    file = beside(path.parent, path.name)
    with open_record_file(record, file, "no_signal_file", root) as opened:
        refuse_pointer(record, file, "no_signal_file", opened.read(git_lfs.MOST_BYTES))
        opened.seek(0)
        yield opened
