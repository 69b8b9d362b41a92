"""CSV files with names, times and units, and without."""

from tests.fuzz.formats import target_of
from tests.fuzz.target import FolderTarget


def make_target() -> FolderTarget:
    return target_of("CSV", "Excel's CSV", "columns", "named")
