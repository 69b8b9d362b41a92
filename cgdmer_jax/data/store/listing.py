"""Checks of the list of records that a source gives, before anything is made of it."""

from collections import Counter

from cgdmer_jax.data.sources.source import OLDEST, Source
from cgdmer_jax.data.splits import check_patients_stay_in_one_fold
from cgdmer_jax.data.store.store import LONGEST_REPORT, most_report_bytes
from cgdmer_jax.data.tables.cells import written
from cgdmer_jax.errors import CgdmerError


def check_source(source: Source) -> None:
    """Raises where the list of records is one that no store can be made of."""
    if not source.records:
        raise CgdmerError(f"source {source.name} lists no records; look whether its table is the whole one")
    record_id, count = Counter(record.record_id for record in source.records).most_common(1)[0]
    if count > 1:
        raise CgdmerError(
            f"source {source.name} lists record {record_id} {count} times; remove the repeated lines from its table"
        )
    for record in source.records:
        if not written(record.patient_id).strip():  # "nan" would be one patient of many people
            raise CgdmerError(
                f"source {source.name} lists record {record.record_id} without a patient; give a record whose patient "
                "is not known an id of its own"
            )
        if record.age is not None and not 0 <= record.age <= OLDEST:  # NaN too
            raise CgdmerError(
                f"source {source.name} gives record {record.record_id} the age {record.age}; give 0 to {OLDEST} years, "
                "or None where it is not known"
            )
    check_patients_stay_in_one_fold(
        (record.patient_id for record in source.records),
        (record.fold for record in source.records),
        source.name,
    )
    _check_reports(source)


def _check_reports(source: Source) -> None:
    """Refuses reports that no store would be read with: half its limits, since cleaning may lengthen a text."""
    distinct = {record.report: record.record_id for record in source.records}
    total, most = 0, most_report_bytes(len(source.records)) // 2
    for report, record_id in distinct.items():
        size = len(report.encode(errors="replace"))
        total += size
        if size > LONGEST_REPORT // 2:
            raise CgdmerError(
                f"the report of record {record_id} has {size} bytes, more than the {LONGEST_REPORT // 2} that one may "
                f"have; look for an unclosed quotation mark in the table of {source.name}, or shorten it"
            )
    if total > most:
        raise CgdmerError(
            f"the reports of {source.name} have {total} bytes together, more than the {most} that "
            f"{len(source.records)} records may have; shorten them"
        )
