"""EDF and continuous EDF+ files."""

from tests.fuzz.formats import target_of
from tests.fuzz.target import FolderTarget


def make_target() -> FolderTarget:
    return target_of("EDF", "EDF+C")
