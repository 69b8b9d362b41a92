"""Types of a collection: its records, their classes, and how a record is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cgdmer_jax.data.readers.recording import Recording

OLDEST = 150  # years
HINTS = "hints"  # among the hashes of tables: of what --recording_rate, --leads and --unit say


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
    age: float | None  # years, 0 to OLDEST; None = unknown
    sex: str | None  # "male", "female" or None
    device: str | None
    labels: dict[str, tuple[str, ...] | None]  # task -> codes; () when no label of that task, None when not judged
    location: object  # what the source's `read` needs, such as a relative path or an index


@dataclass(frozen=True)
class Source:
    """One collection, listed. `read` runs in worker processes: a module's function or a partial of one."""

    name: str  # also names its cleaning rules in data/text/cleaning.py
    licence: str
    citation: str
    records: list[SourceRecord]  # in table order
    tasks: dict[str, tuple[LabelClass, ...]]  # task -> its classes in canonical order
    read: Callable[[SourceRecord], Recording]
    tables: dict[str, str]  # file name -> sha256 of every table that was read
    rate: float | None  # Hz of the recordings as they are read; None where each has its own
    remarks: list[str] = field(default_factory=list)  # what a user should know of this folder, one sentence each
    folder: Path | None = None  # of the recordings; while it is gone no missing file is a record's own fault
    own_cleaning: str | None = None  # rules of data/text/own_cleaning.py, in place of those that its name stands for
    waves: bool = False  # whether recordings come with the marks of their waves
    lines: Sequence[int] | None = None  # of a user's table, where each record stands: rejected.csv has them
    judged: tuple[str, ...] = ()  # tasks in which () says that a record is of none of the classes, and so is scored
