"""HDF5 files in the layouts of CODE-15 % and SPH, and one of nobody's."""

from tests.fuzz.formats import target_of
from tests.fuzz.target import FolderTarget


def make_target() -> FolderTarget:
    return target_of("CODE-15 %", "SPH", "own HDF5")
