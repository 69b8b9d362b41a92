"""A dry run of one's own table: how it was read, what its conversion would refuse, and its first lines."""

from collections import Counter
from collections.abc import Iterable

from cgdmer_jax.data.readers.recording import RecordError
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.sources.table import Understood
from cgdmer_jax.data.sources.table_files import missing
from cgdmer_jax.data.sources.table_labels import SEPARATORS
from cgdmer_jax.data.splits import SPLITS
from cgdmer_jax.data.store.listing import check_source
from cgdmer_jax.data.store.unread import most_unread
from cgdmer_jax.data.text.own_cleaning import cleaned
from cgdmer_jax.errors import CgdmerError, visible
from cgdmer_jax.recipes.own_data import wrong_root

N_SHOWN = 5
N_NAMED = 3  # of what is wrong
LONGEST_SHOWN = 60  # letters of a report
_BETWEEN = (*SEPARATORS, "/", "+", " und ", " and ")  # perhaps between two classes


def show(understood: Understood, partial: bool) -> None:
    """Prints what the table was understood to say; raises where the conversion would refuse it.

    All lines are looked at but for the recordings themselves, of which the first are read. `partial`: whether many of
    the files may be missing.
    """
    source, records = understood.source, understood.source.records
    absent = missing(source.folder, records)
    unread: list[str] = []
    lines = [*_of_table(understood), *_of_files(understood, absent), *_of_first(understood, unread)]
    print(visible("\n".join([*lines, "nothing was written (--dry_run)"])))
    check_source(source)
    if len(absent) == len(records) or (not partial and len(absent) > most_unread(len(records))):
        more = "" if len(absent) == len(records) else ", or add --partial to leave them out"
        raise CgdmerError(wrong_root(understood, [records[place] for place in absent], more))
    if len(unread) == len(records[:N_SHOWN]):
        raise CgdmerError(f"none of the first {len(unread)} recordings can be read; the first: {unread[0]}")


def _of_table(understood: Understood) -> list[str]:
    """How the whole table was read, with counts."""
    source, table, records = understood.source, understood.table, understood.source.records
    n_patients = len({record.patient_id for record in records})
    known = {
        "reports": sum(bool(record.report.strip()) for record in records),
        "ages": sum(record.age is not None for record in records),
        "sexes": sum(record.sex is not None for record in records),
    }
    lines = [
        f"{table.file}: {table.form.told}, {len(records):,} recordings of {n_patients:,} patients, "
        f'collection "{source.name}"',
        f"  splits: {_splits(records)}",
        f"  of {len(records):,} records: " + ", ".join(f"{name} {count:,}" for name, count in known.items()),
    ]
    if not known["reports"]:
        lines.append("  no record has a report: there is nothing for pretraining to align recordings with")
    lines += [f"  {remark}" for remark in source.remarks]
    for task, labels in understood.labels.items():
        counts = Counter(code for codes in labels.of_line for code in codes or ())
        told = ", ".join(f"{_quoted(label.code)} {counts[label.code]:,}" for label in labels.classes)
        lines.append(f"  labels of {task} ({labels.told}): {told}")
        not_labelled = (None,) if labels.judged else (None, ())  # () says "none of them" where classes are judged
        labelled = [record for record in records if record.labels[task] not in not_labelled]
        lines.append(f"    labelled: {_splits(labelled)}")
        if not labels.judged:
            lines += _several_in_one(labels.classes)
    return lines


def _several_in_one(classes: Iterable[LabelClass]) -> list[str]:
    """A remark where the name of a class looks like several."""
    names = [_quoted(label.code) for label in classes if _is_joined(label.code)]
    told = f"    perhaps several classes in one, as another separator stands in the cell: {_first(names)}"
    return [told] * bool(names)


def _is_joined(code: str) -> bool:
    return any(between in code for between in _BETWEEN)


def _quoted(code: str) -> str:
    return f'"{code}"' if _is_joined(code) else code


def _of_files(understood: Understood, absent: list[int]) -> list[str]:
    """How many of the files are there, and the first that are not."""
    source, numbers = understood.source, understood.table.numbers
    n = len(source.records)
    if not absent:
        return [f"  files: all {n:,} are below {source.folder}"]
    named = [f"line {numbers[place]:,} ({source.records[place].record_id})" for place in absent]
    return [f"  files: {n - len(absent):,} of {n:,} are below {source.folder}; missing: {_first(named)}"]


def _first(names: list[str]) -> str:
    more = f" and {len(names) - N_NAMED:,} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more


def _of_first(understood: Understood, unread: list[str]) -> list[str]:
    """The first lines and their recordings; why some cannot be read is added to `unread`."""
    source, lines = understood.source, []
    for number, record in zip(understood.table.numbers, source.records[:N_SHOWN], strict=False):
        fields = {
            "patient": record.patient_id,
            "fold": record.fold,
            "age": record.age,
            "sex": record.sex,
            "device": record.device,
            **{
                task: "not labelled" if codes is None else " + ".join(codes) or "-"
                for task, codes in record.labels.items()
            },
        }
        told = ", ".join(f"{field} {value}" for field, value in fields.items() if value is not None)
        lines.append(f"line {number}: {record.record_id}: {told}")
        lines.append(f"  recording: {_recording(source, record, unread)}")
        if record.report.strip():
            report = cleaned(record.report, source.name, source.own_cleaning) or ""
            shown = (
                report if len(report) <= LONGEST_SHOWN else f"{report[:LONGEST_SHOWN]}... ({len(report)} characters)"
            )
            lines.append(f'  report: "{shown}"')
    n = len(source.records[:N_SHOWN])
    if unread:
        lines.append(f"{len(unread)} of the first {n} recordings could not be read")
    return lines


def _recording(source: Source, record: SourceRecord, unread: list[str]) -> str:
    try:
        recording = source.read(record)
    except RecordError as error:
        unread.append(str(error))
        return f"cannot be read: {error}"
    seconds = recording.signal_mv.shape[1] / recording.rate
    return f"{len(recording.names)} leads ({', '.join(recording.names)}), {seconds:g} s at {recording.rate:g} Hz"


def _splits(records: list[SourceRecord]) -> str:
    counts = Counter(record.fold for record in records)
    return ", ".join(f"{split} {sum(counts[fold] for fold in folds):,}" for split, folds in SPLITS.items())
