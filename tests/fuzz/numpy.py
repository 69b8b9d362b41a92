"""NumPy's files of one recording and of many."""

from tests.fuzz.formats import target_of
from tests.fuzz.target import FolderTarget


def make_target() -> FolderTarget:
    return target_of("npy", "Fortran's npy", "npy of many", "npz", "npz of many")
