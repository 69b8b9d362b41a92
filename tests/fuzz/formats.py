"""Recordings of one format in folders, each of which is searched for them."""

from functools import partial
from pathlib import Path

import numpy as np

from cgdmer_jax.data.readers.formats import Hints, Location, read_recording
from cgdmer_jax.data.readers.found_records import find_recordings, name_of_recording
from tests.data.written_recordings import BORN, COMMENT, NAME, WRITERS, tracing_uv
from tests.fuzz.target import FolderTarget, Values


def target_of(*written: str) -> FolderTarget:
    """Spoils what these writers of `WRITERS` wrote."""
    locations: dict[str, tuple[Location, Hints]] = {}

    def make(folder: Path) -> None:
        for number, name in enumerate(written):
            (folder / str(number)).mkdir()
            locations[str(number)] = WRITERS[name](folder / str(number), tracing_uv(seconds=1))

    return FolderTarget(make, {str(number): partial(_read, locations) for number in range(len(written))})


def _read(locations: dict[str, tuple[Location, Hints]], folder: Path) -> Values:
    location, hints = locations[folder.name]
    found = find_recordings(folder)
    assert all(len(sentence) < 500 for sentence in found.sentences)
    record = read_recording(location, folder, hints)
    assert 50 <= record.rate <= 10_000 and len(record.names) == len(record.signal_mv) == len(set(record.names))
    assert record.signal_mv.dtype == np.float32 and not np.isinf(record.signal_mv).any()
    fields = {what: getattr(record, what) for what in ("rate", "names", "extra_leads")}
    assert not [word for word in (NAME, BORN, COMMENT) if word in repr(fields)]
    names = [name_of_recording(one, folder) for one in found.recordings]
    return fields | {"samples": record.signal_mv.tobytes(), "records found": names}
