"""MATLAB files, packed and not."""

from tests.fuzz.formats import target_of
from tests.fuzz.target import FolderTarget


def make_target() -> FolderTarget:
    return target_of("CPSC2018", "ECG-FM", "MATLAB")
