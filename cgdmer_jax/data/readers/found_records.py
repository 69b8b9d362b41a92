"""The recordings below a folder: whatever can be read, and by name with the reason whatever may be one and cannot."""

import os
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax import git_lfs
from cgdmer_jax.data.readers.formats import BEGINNING, ENDINGS, FORMATS, Location, format_of
from cgdmer_jax.data.readers.record_files import plain_name
from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.readers.wfdb import HEADER, SIGNALS
from cgdmer_jax.data.readers.wfdb_header import MOST_HEADER_BYTES, file_name_of, header_lines
from cgdmer_jax.errors import reason_of

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # ends of lines, and what steers a terminal
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # in no text
# Recordings in other formats, some of them text; files that hold files; files that are no recording, though binary.
FOREIGN = {".bdf", ".gdf", ".dcm", ".scp", ".xml", ".ecg"}
PACKED = {".zip", ".gz", ".tgz", ".bz2", ".xz", ".tar", ".7z", ".rar", ".zst"}
DOCUMENTS = {".pdf", ".png", ".jpg", ".jpeg", ".gif", ".tif", ".doc", ".docx", ".xls", ".xlsx", ".parquet", ".pyc"}
NOT_READ = f"of no format that is read ({', '.join(FORMATS)}); convert it to one of these first"
NO_HEADER = "no header (.hea) names it; fetch that too"
MOST_NAMED = 3
MOST_KINDS = 8


@dataclass(frozen=True)
class FoundRecordings:
    """Recordings in order of their names; the rest in sentences, and how many that is.

    Files that are plainly no recording, such as tables and texts, are in the last sentence and not in the number.
    """

    recordings: list[Location]
    sentences: list[str]
    n_left_out: int


def find_recordings(root: Path) -> FoundRecordings:
    """Everything below the folder, linked folders too; each folder is read once."""
    folders, sentences, n_unread = _folders(root)
    found, reasons, others = [], {}, Counter()
    for folder, files in folders:
        for name, what in _sorted_out(folder, files):
            if what is None:
                others[_kind(name)] += 1
            elif isinstance(what, str):
                reasons.setdefault((_kind(name), what), []).append(name_of(folder / name, root))
            else:
                found += what
    for (kind, reason), names in sorted(reasons.items()):
        shown = ", ".join(sorted(names)[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
        sentences.append(f"{len(names)} {kind or 'without ending'}: left out: {reason} ({shown})")
    if others:
        ordered = sorted(others.items(), key=lambda item: (-item[1], item[0]))[:MOST_KINDS]
        kinds = [f"{number} {kind or 'without ending'}" for kind, number in ordered]
        more = ", ..." if len(others) > MOST_KINDS else ""
        sentences.append(f"other files, which are no recordings: {', '.join(kinds)}{more}")
    n_left_out = n_unread + sum(map(len, reasons.values()))
    return FoundRecordings(sorted(found, key=lambda one: one.path), sentences, n_left_out)


def name_of_recording(location: Location, root: Path) -> str:
    """Name of a recording: its path below the root, and after a "#" which one of the file it is."""
    name = name_of(location.path, root)
    return name if location.member is None else f"{name}#{location.member}"


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


def _sorted_out(folder: Path, files: list[str]) -> Iterator[tuple[str, list[Location] | str | None]]:
    """Each file with its recordings, the reason why it is none, or None for what needs none; parts of a record are not.

    Headers are looked into once, and only where a file is there that nothing else explains.
    """
    headers = {name for name in files if name.endswith(HEADER) and name != HEADER}
    plain_headers = {plain_name(header) for header in headers}
    unexplained = []
    for name in files:
        kind = _kind(name)
        has_header = plain_name(f"{os.path.splitext(name)[0]}{HEADER}") in plain_headers
        if name in headers:
            yield name, [Location(folder / name.removesuffix(HEADER))]
        elif kind == HEADER:
            yield name, "a header is called NAME.hea; rename it, and the file that it names"
        elif kind in FOREIGN:
            yield name, NOT_READ
        elif has_header and (kind in SIGNALS or kind not in ENDINGS):
            continue  # of that record: samples, annotations
        elif kind in PACKED:
            yield name, "packed; unpack it first"
        elif name.startswith(".") or kind in DOCUMENTS:
            yield name, None
        else:
            what = _by_content(folder / name, kind)
            if isinstance(what, str):
                unexplained.append((name, what))
            else:
                yield name, what
    named = _named_in(folder, headers) if unexplained else set()
    yield from ((name, what) for name, what in unexplained if plain_name(name) not in named)


def _by_content(path: Path, kind: str) -> list[Location] | str | None:
    """The recordings in a file, the reason why it is not read, or None where it is plainly no recording."""
    if not os.path.isfile(path):  # opening a pipe would wait for its writer; reading such a recording says so
        return [Location(path)] if kind in ENDINGS else NO_HEADER if kind in SIGNALS else None
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
    except OSError as error:
        return f"it cannot be read ({reason_of(error)}); look at its permissions and its disk"
    if kind in SIGNALS and not any(one.fits(beginning) for one in FORMATS.values()):
        return NO_HEADER
    if kind in ENDINGS and git_lfs.is_pointer(beginning):  # reading it says so
        return [Location(path)]
    found = format_of(path, beginning)
    if found is None:
        return NOT_READ if _BINARY.search(beginning) else None
    if not found.fits(beginning) and not found.may_fit(beginning):
        return None
    try:
        return found.members(path, None)
    except RecordError:  # reading it will say so
        return [Location(path)]


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
