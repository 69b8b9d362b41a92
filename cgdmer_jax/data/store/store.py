"""A converted collection on disk: signals by row, one table of records, one of report texts.

See docs/design.md, "Store".
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorstore as ts
from jaxtyping import Bool, Int16, Integer

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.sources.source import LabelClass
from cgdmer_jax.data.store import seal
from cgdmer_jax.data.store.bounded_table import BoundedTable
from cgdmer_jax.data.store.store_info import read_info
from cgdmer_jax.data.store.waves import WAVE_SCHEMA, misfit, most_wave_bytes
from cgdmer_jax.errors import CgdmerError, suggest

MARKS = (
    "lead_flagged",
    "lead_implausible",
    "lead_derived",
    "arms_swapped",
    "limb_leads_disagree",
)  # columns that tell of quality by yes and no
LABEL_COLUMN = "label_"  # + task: the codes of that task
LONGEST_REPORT = 1 << 16  # bytes of UTF-8
RECORD_BYTES = 2048  # of a line of records.parquet on average; some 400 are usual
REPORT_SCHEMA = pa.schema([("text_id", pa.int32()), ("text", pa.string())])


def record_schema(tasks: tuple[str, ...]) -> pa.Schema:
    """Columns of records.parquet: one line an accepted record, in row order."""
    per_lead, share = pa.list_(pa.bool_(), seal.N_LEADS), pa.list_(pa.float32(), seal.N_LEADS)
    columns = [
        ("row", pa.int32()),  # index into the signal array; rejected records have a row but no line
        ("record_id", pa.string()),
        ("patient_id", pa.string()),
        ("fold", pa.int8()),
        ("age", pa.float32()),  # years; null = unknown
        ("sex", pa.string()),
        ("device", pa.string()),
        ("lead_mask", per_lead),  # True = the lead was recorded
        ("lead_flagged", per_lead),  # True = kept, but with gaps or clipped stretches (waveform/quality.py)
        ("lead_implausible", per_lead),  # True = kept, but of an amplitude that no heart has (quality.py)
        ("lead_derived", per_lead),  # True = made from two other limb leads, on request
        ("nan_share", share),  # of the samples: not measured
        ("flat_share", share),  # most of them within one window of 4 uV
        ("clipped_share", share),  # on a plateau at the lead's extreme, or beyond what is stored
        ("amplitude_mv", share),  # 0.5th to 99.5th percentile; null = nothing was measured
        ("einthoven_mv", pa.float32()),  # root mean square of I + III - II; null = a lead of them is absent
        ("goldberger_mv", pa.float32()),  # the same of aVR, aVL, aVF against I, II, III: the largest
        ("arms_swapped", pa.bool_()),  # True = suspicion of exchanged arm electrodes (limb_leads.py)
        ("limb_leads_disagree", pa.bool_()),  # True = one of these residuals is over 5 % of the limb leads' amplitude
        ("samples_filled", pa.int32()),  # gap samples interpolated, over all leads
        ("valid_length", pa.int32()),  # samples before the padding
        ("signal_sha256", pa.string()),  # of the stored samples, its first 64 bits: for leak checks
        ("text_id", pa.int32()),  # index into reports.parquet; -1 = no clinical text
        # Codes; of a task that dataset.json calls judged, none is "of no class" and null "not judged".
        *((LABEL_COLUMN + task, pa.list_(pa.string())) for task in tasks),
    ]
    return pa.schema(columns)


@final
class Store:
    """A converted collection, made by `open_store`; tables are read and verified on first use.

    A record has a row in the signal array and a line in the table of records; rejected records have a row alone.
    `path`: its folder. `info`: the fields of dataset.json. `fingerprint`: sha256 of what it holds.
    """

    def __init__(self, path: Path, info: dict[str, Any], fingerprint: str, array: ts.TensorStore):
        self.path = path
        self.info = info
        self.fingerprint = fingerprint
        self._array = array

    @staticmethod
    def from_arrays(
        out: Path | str,
        signals: object,
        *,
        rate: float | int,
        leads: Iterable[str],
        unit: str,
        reports: Iterable | None = None,
        labels: object = None,
        patients: Iterable | None = None,
        folds: Iterable | None = None,
        ages: Iterable | None = None,
        sexes: Iterable | None = None,
        record_ids: Iterable | None = None,
        name: str = "arrays",
        store_rate: float | int = 100,
        seconds: float | int = 10.0,
        filter: str = "none",
        derive_limb_leads: bool = False,
        cleaning: Path | str | None = None,
    ) -> "Store":
        """A new, verified store of recordings in memory, made by the conversion that every collection goes through.

        - `out`: folder of the store. `name`: of the collection; its patients are kept apart by it. Two stores of
          one name are one collection: patient 7 of both is one person, so name each of your collections.
        - `signals`: an array [record, lead, time], or a list of arrays [lead, time], of whatever library.
        - `rate`: their rate in Hz. `leads`: names along their lead axis. `unit`: V, mV or uV.
        - `reports`, `ages` (years), `sexes` ("female", "male"): one a record, None where it is not known.
        - `labels`: task -> classes of each record (a name, several, or None), or task -> class -> 0 or 1 a record.
        - `record_ids`, `patients`: an id a record; without patients each is one of its own. `folds`: 1 to 10.
        - `store_rate`, `seconds`, `filter`, `derive_limb_leads`: as of `convert`. `cleaning`: file of own rules.

        Warns of rejected recordings, and of longer ones, which are cut. Raises CgdmerError where lists are of other
        lengths or settings out of range.
        """
        from cgdmer_jax.data.store.from_arrays import store_of_arrays  # which itself opens what it has made

        given = {"rate": rate, "leads": leads, "unit": unit, "reports": reports, "labels": labels}
        given |= {"patients": patients, "folds": folds, "ages": ages, "sexes": sexes, "record_ids": record_ids}
        settings = {"rate": store_rate, "seconds": seconds, "filter": filter, "derive_limb_leads": derive_limb_leads}
        rules = None if cleaning is None else Path(cleaning)
        return store_of_arrays(Path(out), signals, name, rules, given, settings)

    @property
    def namespace(self) -> str:
        """Prefix that keeps patients of different collections apart."""
        return self.info["name"]

    @property
    def rate(self) -> float:
        """Sampling rate in Hz."""
        return self.info["rate"]

    @property
    def n_samples(self) -> int:
        """Number of samples of each record, padding included."""
        return self.info["n_samples"]

    @property
    def n_rows(self) -> int:
        """Number of rows of the signal array, those of rejected records included."""
        return self.info["n_rows"]

    @property
    def n_records(self) -> int:
        """Number of accepted records, the lines of `records`."""
        return self.info["n_records"]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the label tasks."""
        return tuple(self.info["tasks"])

    @cached_property
    def records(self) -> pa.Table:
        """The whole table of records; `column` reads less."""
        return self._records_file.read(self._records_file.schema.names)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Distinct cleaned reports; the index is the text_id."""
        table = self._table(seal.REPORTS, REPORT_SCHEMA, most_report_bytes(self.n_rows))
        column = table.read(["text"], longest=LONGEST_REPORT).column("text")
        if column.null_count:
            raise _unfit(self.info, seal.REPORTS, "has lines without text")
        return tuple(column.to_pylist())

    @cached_property
    def waves(self) -> pa.Table | None:
        """Marked waves, a line each: row, lead, wave (1 P, 2 QRS, 3 T; 0: a stretch that is annotated), samples."""
        if seal.table_entry(self.info, seal.WAVES) is None:
            return None
        most_bytes = most_wave_bytes(self.n_rows, self.info["seconds"])
        table = self._table(seal.WAVES, WAVE_SCHEMA, most_bytes).read(WAVE_SCHEMA.names)
        fault = misfit(table, self.n_rows)
        if fault is None and not np.isin(table.column("row").to_numpy(), self.column("row")).all():
            fault = "has waves of rejected records"
        if fault:
            raise _unfit(self.info, seal.WAVES, fault)
        return table

    @cached_property
    def _records_file(self) -> BoundedTable:
        most_bytes = (1 << 24) + RECORD_BYTES * self.n_rows
        file = self._table(seal.RECORDS, record_schema(self.tasks), most_bytes)
        row, text_id = (file.read([name]).column(name) for name in ("row", "text_id"))
        if row.null_count or np.any(np.diff(row.to_numpy(), prepend=-1, append=self.n_rows) <= 0):
            raise _unfit(self.info, seal.RECORDS, f"names rows outside 0..{self.n_rows - 1} or out of order")
        n_texts = self._lines(seal.REPORTS)
        if text_id.null_count or np.any((text_id.to_numpy() < NO_TEXT) | (text_id.to_numpy() >= n_texts)):
            raise _unfit(self.info, seal.RECORDS, f"names reports outside 0..{n_texts - 1}")
        return file

    def _lines(self, name: str) -> int:
        return seal.table_entry(self.info, name)["lines"]

    def _table(self, name: str, schema: pa.Schema, most_bytes: int) -> BoundedTable:
        content = seal.table_bytes(self.path, self.info, name)
        where = f"{name} of store {self.namespace}"
        return BoundedTable(content, schema, lines=self._lines(name), most_bytes=most_bytes, where=where)

    def column(self, name: str) -> np.ndarray:
        """One column of `records`: [record], or [record, 12] of a column that has a value for each lead.

        `name`: such as "patient_id", "age" (years, NaN = unknown) or "amplitude_mv" (millivolts). Raises CgdmerError
        where there is no such column, and where the table differs from the seal.
        """
        schema = self._records_file.schema
        if name not in schema.names:
            raise CgdmerError(f'store {self.path} has no column "{name}".{suggest(name, schema.names)}')
        values = self._records_file.read([name]).column(name).combine_chunks()
        if pa.types.is_fixed_size_list(values.type):
            flat = values.flatten().to_numpy(zero_copy_only=False)
            return flat.reshape(-1, values.type.list_size)
        return values.to_numpy(zero_copy_only=False)

    def classes(self, task: str) -> tuple[LabelClass, ...]:
        """Classes of a `task`, each with code and name, in canonical order. Raises CgdmerError for an unknown task."""
        if task not in self.info["tasks"]:
            raise CgdmerError(f'store {self.path} has no task "{task}".{suggest(task, self.info["tasks"])}')
        return tuple(LabelClass(entry["code"], entry["name"]) for entry in self.info["tasks"][task])

    def labels(self, task: str) -> Bool[np.ndarray, "record klass"]:
        """Labels of a `task`, [record, class]: True where the record has the code of that class.

        Records in the order of `records`, classes in that of `classes`. Raises CgdmerError for an unknown task.
        """
        codes = pa.array([label.code for label in self.classes(task)])
        lists = self._records_file.read([LABEL_COLUMN + task]).column(0).combine_chunks()
        columns = pc.index_in(pc.list_flatten(lists), value_set=codes)
        if columns.null_count:
            raise _unfit(self.info, seal.RECORDS, f'holds codes that are not classes of task "{task}"')
        table = np.zeros((len(lists), len(codes)), dtype=bool)
        table[pc.list_parent_indices(lists).to_numpy(), columns.to_numpy()] = True
        return table

    def labelled(self, task: str) -> Bool[np.ndarray, "record"]:
        """[record]: True of the records that somebody judged for this `task`, in the order of `records`.

        These are all with a label of it; in a store that says so also those that are of none of its classes.
        Raises CgdmerError for an unknown task.
        """
        if task not in self.info.get("judged", ()):
            return self.labels(task).any(axis=1)
        lists = self._records_file.read([LABEL_COLUMN + task]).column(0)
        return lists.is_valid().to_numpy()

    def read(self, rows: Integer[np.ndarray, "n"]) -> Int16[np.ndarray, "n 12 time"]:
        """int16 microvolts [record, 12, time] of these rows; leads I, II, III, aVR, aVL, aVF, V1 to V6, absent = 0.

        `rows`: of the signal array (column "row"), in any order, repeats allowed. Raises CgdmerError where samples fail
        their checksum or are missing, IndexError where a row is outside the store.
        """
        distinct, inverse = np.unique(rows, return_inverse=True)
        if len(distinct) and (distinct[0] < 0 or distinct[-1] >= self.n_rows):
            raise IndexError(f"rows {distinct[0]}..{distinct[-1]} of a store with {self.n_rows} rows")
        try:
            signal = self._array[distinct].read().result()
        except ValueError as error:
            raise self._unreadable(distinct) from error
        if len(distinct) == len(rows) and np.array_equal(distinct, rows):
            return signal
        return signal[inverse]

    def _unreadable(self, rows: np.ndarray) -> CgdmerError:
        """Names the rows whose bytes fail their checksum or are missing."""
        bad = []
        for row in rows:
            try:
                self._array[int(row)].read().result()
            except ValueError:
                bad.append(str(row))
        shown = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        return CgdmerError(
            f"row(s) {shown} of store {self.path} fail their checksum or are missing; "
            "copy the store again from where it was whole, or delete it and convert again"
        )

    def verify(self) -> None:
        """Compares every byte of the store with the seal. Raises CgdmerError on the first difference."""
        seal.check_bytes(self.path, self.info)


def open_store(path: Path | str) -> Store:
    """Opens a `Store` and compares its files with the seal; reads neither samples nor tables.

    `path`: folder that `convert` made. Raises CgdmerError where it is no finished store, is of another format version,
    or has a file that is missing or of another size.
    """
    path = Path(path)
    info, fingerprint = read_info(path)
    seal.check_files(path, info)
    return Store(path, info, fingerprint, seal.open_array(path, info))


def most_report_bytes(n_rows: int) -> int:
    """Bytes that the distinct reports of that many records may have together: 4 kB each on average, 100 for PTB-XL."""
    return (1 << 24) + 4096 * n_rows


def _unfit(info: dict[str, Any], name: str, what: str) -> CgdmerError:
    return CgdmerError(
        f"{name} of store {info['name']} {what}: table and array are not of one conversion; "
        "delete the store and convert again"
    )
