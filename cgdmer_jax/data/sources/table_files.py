"""Files that a user's table lists: where each lies below the root, which are not there, and which root was meant."""

import os
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.data.readers.formats import Hints, Location, is_there, read_recording
from cgdmer_jax.data.readers.reader import fault
from cgdmer_jax.data.readers.record_files import listed_path
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.data.sources.source import SourceRecord

MEMBER = "#"  # between a file that holds many recordings and the one that is meant
MOST_FOLDERS = 500  # below the root, that are tried in its place
MOST_TRIED = 20  # files, that are looked for in each of them
_NOT_THERE = ("no_header", "no_signal_file")


def read_listed(root: Path, hints: Hints, follow_links: bool, record: SourceRecord) -> Recording:
    """The recording that the table lists as PATH or PATH#MEMBER below the root."""
    location = location_of(root, record.location)
    try:
        return read_recording(location, None if follow_links else root, hints)
    except RecordError as error:
        if error.problem not in _NOT_THERE or is_there(location.path):
            raise
        sentence = "no file is called so, with or without an ending; correct the table, or --root"
        raise fault(location, "no_signal_file", "file name", sentence) from error


def location_of(root: Path, listed: str) -> Location:
    """Place of a recording; a backslash separates folders, as on Windows, where no file has it in its name."""
    path, mark, member = listed.rpartition(MEMBER)
    is_member = bool(mark) and not os.path.exists(root / listed)
    path = listed_path(root, _with_slashes(root, path if is_member else listed), listed)
    return Location(path, member if is_member else None)


def _with_slashes(root: Path, path: str) -> str:
    return path if "\\" not in path or is_there(root / path) else path.replace("\\", "/")


def missing(root: Path, records: Sequence[SourceRecord]) -> list[int]:
    """Places of the records whose files are not below the root."""
    return [place for place, record in enumerate(records) if not _is_there(root, record.location)]


def none_is_there(root: Path, records: Sequence[SourceRecord]) -> bool:
    """Whether not one file is below the root; ends at the first that is."""
    return not any(_is_there(root, record.location) for record in records)


def better_root(root: Path, records: Sequence[SourceRecord]) -> Path | None:
    """The folder, at most two levels above the root or one below, that has most of these records' files."""
    tried = [record.location for record in records[:MOST_TRIED]]
    above = [Path(os.path.normpath(root / up)) for up in ("..", "../..")]
    try:
        with os.scandir(root) as entries:
            below = sorted(root / entry.name for entry in entries if entry.is_dir())[:MOST_FOLDERS]
    except OSError:  # a suggestion is no reason to end: what is wrong is told without it
        below = []
    found = {folder: sum(_is_there(folder, listed) for listed in tried) for folder in (*above, *below)}
    best = max(found, key=lambda folder: found[folder])
    return best if 2 * found[best] > len(tried) else None


def _is_there(root: Path, listed: str) -> bool:
    try:
        return is_there(location_of(root, listed).path)
    except RecordError:  # it leads out of the root
        return False
