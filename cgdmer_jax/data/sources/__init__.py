"""What a collection of recordings is to the rest of the program; one small file a collection (DESIGN 1).

A source lists its records in table order and reads the recording of one of them. It decides nothing about
filtering, rejection or storage: that is `data/convert.py`, the same for every collection.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cgdmer_jax.data.wfdb_reader import Recording


@dataclass(frozen=True)
class LabelClass:
    """One class of a task: the code as published and its English name."""

    code: str
    name: str


@dataclass(frozen=True)
class SourceRecord:
    """One listed record: who, when known how old, what was written and labelled, where the signal is."""

    record_id: str  # unique in the collection
    patient_id: str
    fold: int  # 1..10; data/splits.py
    report: str  # as published, not cleaned; may be empty
    age: float | None  # years; None = unknown
    sex: str | None  # "male", "female" or None
    device: str | None
    labels: dict[str, tuple[str, ...]]  # task -> codes; () when no label of that task
    location: object  # what the source's `read` needs, such as a relative path or an index


@dataclass(frozen=True)
class Source:
    """One collection, listed. `read` runs in worker processes: a module's function or a partial of one."""

    name: str  # also names its cleaning rules in data/reports.py
    licence: str
    citation: str
    records: list[SourceRecord]  # in table order
    tasks: dict[str, tuple[LabelClass, ...]]  # task -> its classes in canonical order
    read: Callable[[SourceRecord], Recording]
    tables: dict[str, str]  # file name -> sha256 of every table that was read
    rate: float  # Hz of the recordings as they are read
    remarks: list[str] = field(default_factory=list)  # what a user should know of this folder, one sentence each
    folder: Path | None = None  # of the recordings; while it is gone no missing file is a record's own fault


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
