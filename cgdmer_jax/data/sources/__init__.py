"""Collections of recordings, one small file each, and their names (docs/design.md, "Sources").

A source lists its records in table order and reads the recording of one of them. It decides nothing about
filtering, rejection or storage: that is `data/store/convert.py`, the same for every collection.
"""

from collections.abc import Callable
from pathlib import Path

from cgdmer_jax.data.sources.source import Source


def _open_ptbxl(root: Path, rate: int, follow_links: bool) -> Source:
    from cgdmer_jax.data.sources import ptbxl  # here, because ptbxl itself imports the classes above

    return ptbxl.open_source(root, rate, follow_links=follow_links)


def _ptbxl_reports(root: Path) -> list[tuple[int, str]]:
    from cgdmer_jax.data.sources import ptbxl

    return ptbxl.read_reports(root)


# Collections whose reports can be read without the recordings: name -> (fold, report as published) of each record.
REPORTS: dict[str, Callable[[Path], list[tuple[int, str]]]] = {"ptbxl": _ptbxl_reports}
# Collections that are read from a folder: name -> open(root, wanted rate in Hz, whether links may leave the root).
# The `synthetic` source has no folder; it is opened by its own module.
SOURCES: dict[str, Callable[[Path, int, bool], Source]] = {"ptbxl": _open_ptbxl}
