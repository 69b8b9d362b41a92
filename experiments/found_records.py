"""The recordings below a folder: WFDB records to read, and by name whatever else looks like one and is not read."""

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

HEADER = ".hea"
# Recordings of other formats, and signal files of WFDB, which are nothing without a header.
FOREIGN = {".edf", ".bdf", ".gdf", ".dcm", ".scp", ".xml", ".ecg", ".h5", ".hdf5"}
SIGNALS = {".dat", ".mat"}
MOST_NAMED = 3


@dataclass(frozen=True)
class Found:
    """Records without their ending, in order of their names; the rest in sentences, and how many that is."""

    records: list[Path]
    sentences: list[str]
    n_left_out: int


def find_records(root: Path) -> Found:
    """Everything below the folder, linked folders too; each folder is read once."""
    folders, sentences, n_unread = _folders(root)
    records, others = [], {}
    for folder, files in folders:
        headers = [name for name in files if name.endswith(HEADER)]
        records += [folder / name.removesuffix(HEADER) for name in headers]
        for name in files:
            if reason := _reason(folder, name, headers):
                others.setdefault((Path(name).suffix.lower(), reason), []).append(_name(folder / name, root))
    for (kind, reason), names in sorted(others.items()):
        shown = ", ".join(sorted(names)[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
        sentences.append(f"{len(names)} {kind}: left out: {reason} ({shown})")
    return Found(sorted(records), sentences, n_unread + sum(map(len, others.values())))


def name_of(record: Path, root: Path) -> str:
    """How a record is called: its path below the root, printable whatever its bytes are."""
    return _name(record, root)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()


def _folders(root: Path) -> tuple[list[tuple[Path, list[str]]], list[str], int]:
    """(folder, its file names) of each; sentences of what was not entered, and how many of these hold unread files.

    Folders before the links that lead to folders: what is reachable both ways has the name without a link.
    """
    seen: set[tuple[int, int]] = set()
    found, sentences, unread = [], [], []
    todo = deque([root])
    while todo:
        start = todo.popleft()
        if _identity(start) in seen:
            sentences.append(f"{_name(start, root)}: leads to a folder that is read already, so it is read once")
            continue
        for folder, folders, files in os.walk(start, onerror=unread.append):
            if identity := _identity(Path(folder)):
                seen.add(identity)
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            todo.extend(Path(folder, name) for name in sorted(links))
            folders[:] = sorted(n for n in folders if n not in links and _identity(Path(folder, n)) not in seen)
            found.append((Path(folder), sorted(files)))
    for error in unread:
        sentences.append(
            f"{_name(Path(error.filename), root)}/: left out: the folder cannot be read ({error.strerror})"
        )
    return found, sentences, len(unread)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Equal for all names of one folder; None where the system does not say, which its reading will."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _reason(folder: Path, name: str, headers: list[str]) -> str | None:
    """Why a file that may hold a recording is not read; None for records and for files of other purpose."""
    stem, ending = os.path.splitext(name)
    kind = ending.lower()
    if kind == HEADER and ending != HEADER:
        return "a header ends in .hea; rename it, and the file that it names"
    if kind in FOREIGN:
        return "no WFDB record; convert it to .hea and .dat first"
    if kind in SIGNALS and f"{stem}{HEADER}" not in headers and not _is_named(folder, name, headers):
        return "no header (.hea) names it; fetch that too"
    return None


def _is_named(folder: Path, name: str, headers: list[str]) -> bool:
    """Whether a signal line of some header begins with that file name."""
    for header in headers:
        try:
            with (folder / header).open("rb") as file:
                text = file.read(1_000_000)
        except OSError:
            continue  # reading the record will say so
        if any(line.split()[:1] == [os.fsencode(name)] for line in text.splitlines()):
            return True
    return False
