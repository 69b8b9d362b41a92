"""Recordings in HDF5 files, one or many a file, as the tables of CODE-15 %, CODE-test and SPH place them."""

from pathlib import Path

from cgdmer_jax.data.readers.formats import Location, read_recording
from cgdmer_jax.data.readers.record_files import listed_path
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.source import SourceRecord


def read_member(root: Path, follow_links: bool, record: SourceRecord) -> Recording:
    """The recording whose location is a path below the root and its name in that file, None where it is alone."""
    file, member = record.location
    path = listed_path(root, file, record.record_id)
    return read_recording(Location(path, member), None if follow_links else root)
