"""The formats by name, and the reading of a recording whichever its format is."""

import os
from pathlib import Path

from cgdmer_jax.data.readers import csv_recording, edf, hdf5, mat, numpy_file, wfdb
from cgdmer_jax.data.readers.reader import Format, Hints, Location, fault, one_recording, open_recording
from cgdmer_jax.data.readers.record_files import beside
from cgdmer_jax.data.readers.recording import RecordError, Recording

__all__ = ["FORMATS", "Format", "Hints", "Location", "read_recording"]

FORMATS: dict[str, Format] = {
    "WFDB": wfdb.FORMAT,
    "EDF": edf.FORMAT,
    "HDF5": hdf5.FORMAT,
    "CSV": csv_recording.FORMAT,
    "NumPy": numpy_file.FORMAT,
    "MATLAB": mat.FORMAT,
}
ENDINGS = tuple(ending for one in FORMATS.values() for ending in one.endings)
NO_HINTS = Hints()
BEGINNING = 1 << 16  # bytes by which a format is told


def read_recording(location: Location, root: Path | None = None, hints: Hints = NO_HINTS) -> Recording:
    """Reads one recording of any format, told by the content of its file or else by the ending; float32 millivolts.

    `location`: its file, and which one of it. `root`: folder below which every file must lie once links are followed;
    None = anywhere. `hints`: rate in Hz, leads and unit, where the file does not say them.

    Raises RecordError where the file cannot be trusted, leaves unsaid what no hint says, or is of no known format.
    """
    record = wfdb_record(location.path)
    path = record or with_ending(location)
    found = FORMATS["WFDB"]
    location = Location(path or location.path, location.member)
    if path is not None and record is None:
        with open_recording(location, root) as file:
            found = format_of(path, file.read(BEGINNING))
    if found is None:
        raise fault(location, "format", "file", f"it is of no format that is read ({', '.join(FORMATS)}); convert it")
    if location.member is not None and found.members is one_recording:
        raise fault(location, "no_signal_file", "member", "its file holds one recording alone; name the file itself")
    return found.read(location, root, hints)


def wfdb_record(path: Path) -> Path | None:
    """The WFDB record that a path names, itself or by one of its files; None where no header is there."""
    if path.suffix == wfdb.HEADER:
        return path
    stems = (path, path.with_suffix("")) if path.suffix in wfdb.SIGNALS else (path,)
    return next((stem for stem in stems if os.path.lexists(f"{stem}{wfdb.HEADER}")), None)


def with_ending(location: Location) -> Path | None:
    """The file of a recording whose name may lack its ending; None where none is there."""
    path = location.path
    if os.path.lexists(path) or path.suffix.lower() in ENDINGS:
        return path
    found = [Path(f"{path}{ending}") for ending in ENDINGS if os.path.lexists(f"{path}{ending}")]
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise fault(location, "no_signal_file", "file name", f"several files have its name ({names}); add the ending")
    return found[0] if found else None


def is_there(path: Path) -> bool:
    """Whether the file of a recording, or of WFDB its header, is there; its name may lack the ending."""
    record = wfdb_record(path)
    if record is not None:
        return record != path or path.suffix != wfdb.HEADER or os.path.lexists(path)
    try:
        found = with_ending(Location(path))
    except RecordError:  # several are, and reading will say so
        return True
    return found is not None and os.path.lexists(beside(found.parent, found.name))


def format_of(path: Path, beginning: bytes) -> Format | None:
    """The format of a file that begins so; None where it is none of a recording."""
    formats = FORMATS.values()
    by_content = (one for one in formats if one.fits(beginning))
    by_ending = (one for one in formats if path.suffix.lower() in one.endings)
    return next(by_content, None) or next(by_ending, None)
