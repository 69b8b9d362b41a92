"""WFDB records below a folder whose headers say who the patient is and what was found: no table is needed."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.data.readers.found_records import find_recordings, name_of
from cgdmer_jax.data.readers.record_files import listed_path
from cgdmer_jax.data.readers.recording import RecordError, Recording
from cgdmer_jax.data.readers.wfdb import HEADER, read_wfdb
from cgdmer_jax.data.readers.wfdb_facts import read_facts
from cgdmer_jax.data.sources.patient_facts import age_of, sex_of
from cgdmer_jax.data.sources.source import SourceRecord
from cgdmer_jax.data.splits import fold_of_patient
from cgdmer_jax.errors import CgdmerError

HeaderLabels = dict[str, tuple[str, ...] | None]  # of a SourceRecord
OWN_PATIENTS = "the collection does not say whose a recording is: each counts as a patient of its own"


@dataclass(frozen=True)
class FolderListing:
    """Records below a folder, and sentences on what was left out or is not what its name says."""

    records: list[SourceRecord]
    remarks: list[str]


def list_records(
    root: Path,
    keys: Sequence[str],
    labels_of: Callable[[dict[str, str]], HeaderLabels],
    patient_of: Callable[[str], str],
    *,
    follow_links: bool = False,
) -> FolderListing:
    """Every WFDB record below the root, in order of the paths, with age, sex and labels from its header.

    `keys`: comments to read beside "age" and "sex"; `labels_of`: labels by task from their values. `patient_of`: the
    patient, from the record's path below the root. A name that occurs in two folders is the same patient's.
    """
    found = find_recordings(root)
    headers = [one.path for one in found.recordings if os.path.lexists(f"{one.path}{HEADER}")]
    if not headers:
        raise CgdmerError(f"no WFDB header (.hea) is below {root}; --root is the folder that the collection lies in")
    paths = [name_of(path, root) for path in headers]  # as text: of a file, the name may be any bytes
    times = Counter(path.rsplit("/", 1)[-1] for path in paths)
    records = []
    for path, told in zip(headers, paths, strict=True):
        name = told.rsplit("/", 1)[-1]
        try:
            facts = read_facts(path, ("age", "sex", *keys), None if follow_links else root)
        except RecordError:  # conversion meets the same header, and counts and names its fault
            facts = dict.fromkeys(("age", "sex", *keys), "")
        patient = patient_of(told)
        records.append(
            SourceRecord(
                record_id=name if times[name] == 1 else told,
                patient_id=patient,
                fold=fold_of_patient(patient),
                report="",
                age=age_of(facts["age"]),
                sex=sex_of(facts["sex"]),
                device=None,
                labels=labels_of(facts),
                location=path.relative_to(root).as_posix(),
            )
        )
    remarks = [*found.sentences]
    if n_others := len(found.recordings) - len(headers):
        remarks.append(f"{n_others:,} recordings without a WFDB header were left out")
    if twice := [name for name, count in times.items() if count > 1]:
        remarks.append(
            f"{len(twice):,} names of recordings occur in several folders (such as {twice[0]}): their ids are paths, "
            "and each name is one patient"
        )
    return FolderListing(records, remarks)


def read_recording(root: Path, follow_links: bool, record: SourceRecord) -> Recording:
    """The record's WFDB files below the root folder."""
    return read_wfdb(listed_path(root, record.location, record.record_id), None if follow_links else root)


def own_patient(location: str) -> str:
    """The record's name, where nothing says whose it is."""
    return location.rsplit("/", 1)[-1]
