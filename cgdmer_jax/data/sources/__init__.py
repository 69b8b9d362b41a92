"""Collections of recordings, one small file each, and their names (docs/design.md, "Sources").

A source lists its records in table order and reads the recording of one of them. It decides nothing about
filtering, rejection or storage: that is `data/store/convert.py`, the same for every collection.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from cgdmer_jax.data.sources.source import Source


def _in(module: str, opener: str = "open_source") -> Callable[[Path, int, bool], Source]:
    """The opener in a module of this folder, imported when it is called: it imports `source` itself."""

    def open_source(root: Path, rate: int, follow_links: bool) -> Source:
        return getattr(import_module(f"{__name__}.{module}"), opener)(root, rate, follow_links=follow_links)

    return open_source


def _reports_in(module: str) -> Callable[[Path], list[tuple[int, str]]]:
    """The `read_reports` of a module of this folder."""

    def read_reports(root: Path) -> list[tuple[int, str]]:
        return import_module(f"{__name__}.{module}").read_reports(root)

    return read_reports


# Collections whose reports can be read without the recordings: name -> (fold, report as published) of each record.
REPORTS: dict[str, Callable[[Path], list[tuple[int, str]]]] = {
    "ptbxl": _reports_in("ptbxl"),
    "mimic-iv-ecg": _reports_in("mimic_iv_ecg"),
}
# Collections that are read from a folder: name -> open(root, wanted rate in Hz, whether links may leave the root).
# The `synthetic` source has no folder; it is opened by its own module.
SOURCES: dict[str, Callable[[Path, int, bool], Source]] = {
    "ptbxl": _in("ptbxl"),
    "mimic-iv-ecg": _in("mimic_iv_ecg"),
    "mimic-iv-ecg-merl": _in("mimic_iv_ecg", "open_as_merl"),
    "cinc": _in("cinc"),
    "csn": _in("csn"),
    "cpsc2018": _in("cpsc2018"),
    "ludb": _in("ludb"),
    "ptb": _in("ptb"),
    "code15": _in("code15"),
    "code-test": _in("code_test"),
    "sph": _in("sph"),
}
