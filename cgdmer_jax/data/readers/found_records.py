"""The recordings below a folder: WFDB records to read, and by name whatever else looks like one and is not read."""

import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.data.readers.record_files import plain_name
from cgdmer_jax.data.readers.wfdb_header import MOST_HEADER_BYTES, file_name_of, header_lines

HEADER = ".hea"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # ends of lines, and what steers a terminal
# Recordings of other formats, and signal files of WFDB, which are nothing without a header.
FOREIGN = {".edf", ".bdf", ".gdf", ".dcm", ".scp", ".xml", ".ecg", ".h5", ".hdf5"}
SIGNALS = {".dat", ".mat"}
MOST_NAMED = 3


@dataclass(frozen=True)
class FoundRecords:
    """Records without their ending, in order of their names; the rest in sentences, and how many that is."""

    records: list[Path]
    sentences: list[str]
    n_left_out: int


def find_records(root: Path) -> FoundRecords:
    """Everything below the folder, linked folders too; each folder is read once."""
    folders, sentences, n_unread = _folders(root)
    records, others = [], {}
    for folder, files in folders:
        headers = {name for name in files if name.endswith(HEADER) and name != HEADER}
        records += [folder / name.removesuffix(HEADER) for name in headers]
        for name, reason in _not_read(folder, files, headers):
            others.setdefault((_kind(name), reason), []).append(name_of(folder / name, root))
    for (kind, reason), names in sorted(others.items()):
        shown = ", ".join(sorted(names)[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
        sentences.append(f"{len(names)} {kind}: left out: {reason} ({shown})")
    return FoundRecords(sorted(records), sentences, n_unread + sum(map(len, others.values())))


def name_of(path: Path, root: Path) -> str:
    """Name of a record, or of another file: its path below the root, one line of text whatever its bytes are."""
    name = path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), name)


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
            sentences.append(f"{name_of(start, root)}: leads to a folder that is read already, so it is read once")
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
            f"{name_of(Path(error.filename), root)}/: left out: the folder cannot be read ({error.strerror})"
        )
    return found, sentences, len(unread)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Equal for all names of one folder; None where the system does not say, which its reading will."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _not_read(folder: Path, files: list[str], headers: set[str]) -> Iterator[tuple[str, str]]:
    """Files that may hold a recording and are not read, with the reason; none for records and other files."""
    alone, plain_headers = [], {plain_name(header) for header in headers}
    for name in files:
        kind = _kind(name)
        if kind == HEADER and name not in headers:
            yield name, "a header is called NAME.hea; rename it, and the file that it names"
        elif kind in FOREIGN:
            yield name, "no WFDB record; convert it to .hea and .dat first"
        elif kind in SIGNALS and plain_name(f"{os.path.splitext(name)[0]}{HEADER}") not in plain_headers:
            alone.append(name)
    named = _named_in(folder, headers) if alone else set()
    for name in alone:
        if plain_name(name) not in named:
            yield name, "no header (.hea) names it; fetch that too"


def _named_in(folder: Path, headers: set[str]) -> set[str]:
    """First fields of all lines of these headers: file names, where a line is of a signal."""
    words = set()
    for header in headers:
        if not os.path.isfile(folder / header):  # opening a pipe would wait for its writer
            continue
        try:
            with (folder / header).open("rb") as file:
                text = file.read(MOST_HEADER_BYTES)
        except OSError:
            continue  # reading the record will say so
        words.update(plain_name(file_name_of(line)) for line in header_lines(text))
    return words


def _kind(name: str) -> str:
    """Ending in lower case; that of ".hea" too, which has nothing before it."""
    return os.path.splitext(f"_{name}")[1].lower()
