"""The formats by name, and the reading of a recording whichever its format is."""

from pathlib import Path

from cgdmer_jax.data.readers import wfdb
from cgdmer_jax.data.readers.reader import Format, Hints, Location
from cgdmer_jax.data.readers.recording import Recording

__all__ = ["FORMATS", "Format", "Hints", "Location", "read_recording"]

FORMATS: dict[str, Format] = {"WFDB": wfdb.FORMAT}
NO_HINTS = Hints()


def read_recording(location: Location, root: Path | None = None, hints: Hints = NO_HINTS) -> Recording:
    """Reads one recording; the format follows from the content of its file, then from the ending.

    `root`: folder below which every file must lie once links are followed; None = anywhere. `hints`: what the file may
    leave unsaid. Raises RecordError where the file cannot be trusted or its format is not read.
    """
    return FORMATS["WFDB"].read(location, root, hints)
