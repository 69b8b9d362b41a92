"""A converted collection on disk: signals by row, one table of records, one of report texts (DESIGN 2)."""

import hashlib
import io
import json
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorstore as ts
from jaxtyping import Bool, Int16, Integer

from cgdmer_jax.data import seal
from cgdmer_jax.data.sources import LabelClass
from cgdmer_jax.errors import CgdmerError, suggest

MARKS = (
    "lead_flagged",
    "lead_implausible",
    "lead_derived",
    "arms_swapped",
    "limb_leads_disagree",
)  # columns that tell of quality by yes and no
LABEL_COLUMN = "label_"  # + task: the codes of that task
_NEEDED = frozenset(
    "format_version name rate seconds n_samples n_rows n_records rejected unit leads filter cleaning_version "
    "derive_limb_leads quality extra_leads "
    "licence citation source tasks remarks seal".split()
)


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
        ("lead_flagged", per_lead),  # True = kept, but with gaps or clipped stretches (DESIGN 3)
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
        *((LABEL_COLUMN + task, pa.list_(pa.string())) for task in tasks),
    ]
    return pa.schema(columns)


@final
class Store:
    """An opened, sealed store; tables are read and verified on first use."""

    def __init__(self, path: Path, info: dict[str, Any], fingerprint: str, array: ts.TensorStore):
        self.path = path
        self.info = info
        self.fingerprint = fingerprint
        self._array = array

    @property
    def namespace(self) -> str:
        """Prefix that keeps patients of different collections apart."""
        return self.info["name"]

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.info["rate"]

    @property
    def n_samples(self) -> int:
        """Samples of each record, padding included."""
        return self.info["n_samples"]

    @property
    def n_rows(self) -> int:
        """Rows of the signal array, those of rejected records included."""
        return self.info["n_rows"]

    @property
    def n_records(self) -> int:
        """Accepted records = lines of `records`."""
        return self.info["n_records"]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the label tasks."""
        return tuple(self.info["tasks"])

    @cached_property
    def records(self) -> pa.Table:
        """The whole table of records; `column` reads less."""
        return self._records_file.read()

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Distinct cleaned reports; the index is the text_id."""
        table = pq.read_table(io.BytesIO(self._verified_bytes(seal.REPORTS)))
        return tuple(table.column("text").to_pylist())

    @cached_property
    def _records_file(self) -> pq.ParquetFile:
        file = pq.ParquetFile(io.BytesIO(self._verified_bytes(seal.RECORDS)))
        rows = file.read(["row"]).column("row").to_numpy()
        if len(rows) and (rows[0] < 0 or rows[-1] >= self.n_rows or np.any(np.diff(rows) <= 0)):
            raise _unfit(self.info, f"names rows outside 0..{self.n_rows - 1} or out of order")
        return file

    def _verified_bytes(self, name: str) -> bytes:
        """Content of a table after its sha256 was compared with the seal."""
        entry = _table_entry(self.info, name)
        content = (self.path / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise CgdmerError(
                f"{name} of store {self.path} differs from the seal's sha256; "
                "copy the store again from where it was whole, or delete it and convert again"
            )
        return content

    def column(self, name: str) -> np.ndarray:
        """One column of `records`, a value a line; unknown age = NaN, per-lead columns [n_records, 12]."""
        schema = self._records_file.schema_arrow
        if name not in schema.names:
            raise CgdmerError(f'store {self.path} has no column "{name}".{suggest(name, schema.names)}')
        values = self._records_file.read([name]).column(name).combine_chunks()
        if pa.types.is_fixed_size_list(values.type):
            flat = values.flatten().to_numpy(zero_copy_only=False)
            return flat.reshape(-1, values.type.list_size)
        return values.to_numpy(zero_copy_only=False)

    def classes(self, task: str) -> tuple[LabelClass, ...]:
        """Classes of a task in canonical order."""
        if task not in self.info["tasks"]:
            raise CgdmerError(f'store {self.path} has no task "{task}".{suggest(task, self.info["tasks"])}')
        return tuple(LabelClass(entry["code"], entry["name"]) for entry in self.info["tasks"][task])

    def labels(self, task: str) -> Bool[np.ndarray, "record klass"]:
        """One line a record of `records`, one column a class of the task; True = the record has that code."""
        codes = pa.array([label.code for label in self.classes(task)])
        lists = self._records_file.read([LABEL_COLUMN + task]).column(0).combine_chunks()
        columns = pc.index_in(pc.list_flatten(lists), value_set=codes)
        if columns.null_count:
            raise _unfit(self.info, f'holds codes that are not classes of task "{task}"')
        table = np.zeros((len(lists), len(codes)), dtype=bool)
        table[pc.list_parent_indices(lists).to_numpy(), columns.to_numpy()] = True
        return table

    def read(self, rows: Integer[np.ndarray, "n"]) -> Int16[np.ndarray, "n 12 time"]:
        """Microvolts of these rows in this order, repeats allowed; one sorted gather, checksums verified."""
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
        """Compares every byte of the store with the seal; raises on the first difference."""
        seal.check_bytes(self.path, self.info)


def open_store(path: Path | str) -> Store:
    """Opens a sealed store and compares its files with the seal; reads neither samples nor table lines."""
    path = Path(path)
    info, fingerprint = read_info(path)
    seal.check_files(path, info)
    array = seal.open_array(path, str(path))
    shape = (info["n_rows"], seal.N_LEADS, info["n_samples"])
    if array.shape != shape or array.dtype != ts.int16:
        raise _unfit(info, f"belongs to an array {list(shape)}, but {seal.SIGNAL} is {list(array.shape)}")
    lines = pq.read_metadata(path / seal.RECORDS).num_rows
    n_rejected = sum(info["rejected"].values())
    if lines != info["n_records"] or lines + n_rejected != info["n_rows"]:
        raise _unfit(info, f"has {lines} lines where {info['n_rows']} rows less {n_rejected} rejected are expected")
    return Store(path, info, fingerprint, array)


def read_info(path: Path) -> tuple[dict[str, Any], str]:
    """dataset.json and the store's fingerprint."""
    file = path / seal.DATASET
    if not path.is_dir():
        raise CgdmerError(
            f"there is no store at {path}; make it with python -m experiments.convert --source=COLLECTION --out={path}"
        )
    if not file.is_file():
        raise CgdmerError(
            f"store {path} has no {seal.DATASET}: its conversion was not finished; run the same command again"
        )
    content = file.read_bytes()
    try:
        info = json.loads(content)
    except ValueError as error:
        raise CgdmerError(f"{file} is not JSON; copy the store again or convert it again") from error
    version = info.get("format_version") if isinstance(info, dict) else None
    if version != seal.FORMAT_VERSION:
        raise CgdmerError(
            f"store {path} has format version {version}, this program reads {seal.FORMAT_VERSION}; "
            "convert its source again with this program, or use the version that made it"
        )
    if missing := _NEEDED - info.keys():
        raise CgdmerError(f"{file} lacks {', '.join(sorted(missing))}; copy the store again or convert it again")
    return info, _fingerprint(info)


def _fingerprint(info: dict[str, Any]) -> str:
    """sha256 of everything in dataset.json but the remarks: what was left out of a store is not in it."""
    telling = {field: value for field, value in info.items() if field != "remarks"}
    return hashlib.sha256(json.dumps(telling, sort_keys=True).encode()).hexdigest()


def _table_entry(info: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in info["seal"]["tables"] if entry["file"] == name)


def _unfit(info: dict[str, Any], what: str) -> CgdmerError:
    return CgdmerError(
        f"{seal.RECORDS} of store {info['name']} {what}: table and array are not of one conversion; "
        "delete the store and convert again"
    )
