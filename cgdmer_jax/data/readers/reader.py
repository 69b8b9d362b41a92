"""A format and what its reader is given: where a recording lies, and what its file may leave unsaid."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.data.readers.recording import Recording


@dataclass(frozen=True)
class Hints:
    """Facts that a header would give, for the files that have none; what a file says itself goes before them."""

    rate: float | None = None  # hertz
    leads: tuple[str, ...] | None = None  # in the order in which they are stored
    unit: str | None = None  # V, mV or uV


@dataclass(frozen=True)
class Location:
    """One recording: its file, or of WFDB its record; `member`: its id or number in a file that holds many."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}#{self.member}"


@dataclass(frozen=True)
class Format:
    """One format of recordings, as its file in this room declares it.

    - `endings`: of its files, in lower case with the dot.
    - `fits`: whether a file that begins with these bytes can only be of this format.
    - `read`: a location, the folder below which every file must lie (None: anywhere), and hints, to a recording.
    - `members`: the recordings in a file; one Location without member where the format holds one a file.
    """

    endings: tuple[str, ...]
    fits: Callable[[bytes], bool]
    read: Callable[[Location, Path | None, Hints], Recording]
    members: Callable[[Path, Path | None], list[Location]]
