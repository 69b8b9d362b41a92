"""One or several stores behind one reading surface (docs/design.md, "Corpus and batch")."""

import copy
import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int16, Int32, Int64, Shaped

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.contract import CONVERSION
from cgdmer_jax.data.sources.source import LabelClass
from cgdmer_jax.data.splits import in_folds, split_folds
from cgdmer_jax.data.store.store import MARKS, Store, open_store
from cgdmer_jax.errors import CgdmerError, suggest


class Corpus:
    """Records of one or several stores in the given order; a `line` counts accepted records through all.

    A row counts array rows through all stores. One store keeps its own text ids; of several, equal texts
    get one id, the rank of the text's sha256, which depends on no order. Patients are "<namespace>:<id>".
    """

    def __init__(self, stores: Sequence[Store]):
        if not stores:
            raise CgdmerError("data.stores is empty; name at least one converted store")
        _check_agreement(stores)
        self.stores = tuple(stores)
        self.rate, self.n_samples = stores[0].rate, stores[0].n_samples
        self.fingerprints = tuple(store.fingerprint for store in stores)
        self.fingerprint = _fingerprint(self.fingerprints)
        self.first_lines = np.cumsum([0, *(store.n_records for store in stores)])
        self.n_records = int(self.first_lines[-1])
        self._rows_in_store = _joined(stores, lambda store: store.column("row")).astype(np.int64)
        self._row = self._rows_in_store + np.repeat(_first_rows(stores), np.diff(self.first_lines))
        self.lead_mask = _joined(stores, lambda store: store.column("lead_mask"))
        self.length = _joined(stores, lambda store: store.column("valid_length")).astype(np.int32)
        self.fold = _joined(stores, lambda store: store.column("fold"))
        self.texts, self.text_id = _numbered_texts(stores)
        self.record_columns: dict[str, Shaped[np.ndarray, "record ..."]] = {}  # what every batch also holds

    def rows(self, lines: Int64[np.ndarray, "record"]) -> Int32[np.ndarray, "record"]:
        """Array rows of these lines, counted through all stores."""
        return self._row[lines].astype(np.int32)

    def read(self, lines: Int64[np.ndarray, "record"]) -> Int16[np.ndarray, "record lead time"]:
        """Microvolts of these lines, in any order; one sorted gather a store."""
        if len(self.stores) == 1:
            return self.stores[0].read(self._rows_in_store[lines])
        signal = np.empty((len(lines), self.lead_mask.shape[1], self.n_samples), np.int16)
        owner = np.searchsorted(self.first_lines, lines, side="right") - 1
        for number in np.unique(owner):
            places = np.flatnonzero(owner == number)
            signal[places] = self.stores[number].read(self._rows_in_store[lines[places]])
        return signal

    def with_record_columns(self, columns: dict[str, Shaped[np.ndarray, "record ..."]]) -> "Corpus":
        """This corpus, whose batches also hold these tables, a line of each for a line of the corpus."""
        corpus = copy.copy(self)
        corpus.record_columns = columns
        return corpus

    @cached_property
    def patient_id(self) -> np.ndarray:
        """ "<namespace>:<id>" of every line."""
        return _joined(self.stores, _patients)

    def column(self, name: str) -> np.ndarray:
        """A column of records.parquet by line; row, text_id and patient_id as the corpus numbers them."""
        match name:
            case "row":
                return self._row
            case "text_id":
                return self.text_id
            case "patient_id":
                return self.patient_id
        return _joined(self.stores, lambda store: store.column(name))

    def lines(self, split: str) -> Int64[np.ndarray, "record"]:
        """Lines of the records of train, validation or test."""
        return np.flatnonzero(in_folds(self.fold, split_folds(split)))

    def marked(self, lines: Int64[np.ndarray, "record"], column: str) -> Bool[np.ndarray, "record"]:
        """True where that mark is: of a per-lead one, where it is in any lead. `column` of MARKS, or lead_absent."""
        known = (*MARKS, "lead_absent")
        if column not in known:
            raise CgdmerError(
                f"data.leave_out names {column}, which is no mark; name some of {', '.join(known)}."
                f"{suggest(column, known)}"
            )
        values = ~self.column("lead_mask") if column == "lead_absent" else self.column(column)
        return values.reshape(self.n_records, -1).any(axis=1)[lines]

    def reports(self, lines: Int64[np.ndarray, "record"]) -> list[str]:
        """Cleaned reports of these lines, repeated as they occur; lines without clinical text have none."""
        return [self.texts[number] for number in self.text_id[lines] if number != NO_TEXT]

    def classes(self, task: str) -> tuple[LabelClass, ...]:
        """Classes of a task that every store has alike."""
        classes = self.stores[0].classes(task)
        for store in self.stores[1:]:
            if store.classes(task) != classes:
                raise CgdmerError(
                    f'task "{task}" has other classes in store {store.namespace} than in '
                    f"{self.stores[0].path}; evaluate them one by one"
                )
        return classes

    def labels(self, task: str) -> Bool[np.ndarray, "record label"]:
        """Labels by line, of a task that every store has alike."""
        self.classes(task)
        return _joined(self.stores, lambda store: store.labels(task))

    def labelled(self, task: str) -> Bool[np.ndarray, "record"]:
        """True of the lines that somebody judged for this task."""
        return _joined(self.stores, lambda store: store.labelled(task))


def open_corpus(paths: Sequence[str]) -> Corpus:
    """Opens the stores of one run (`data.stores`)."""
    return Corpus([open_store(path) for path in paths])


def _joined(stores: Sequence[Store], of: Callable[[Store], np.ndarray]) -> np.ndarray:
    return np.concatenate([of(store) for store in stores])


def _patients(store: Store) -> np.ndarray:
    return np.array([f"{store.namespace}:{patient}" for patient in store.column("patient_id")], object)


def _first_rows(stores: Sequence[Store]) -> Int64[np.ndarray, "store"]:
    return np.cumsum([0, *(store.n_rows for store in stores[:-1])])


def _fingerprint(fingerprints: Sequence[str]) -> str:
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256("\n".join(fingerprints).encode()).hexdigest()


def _numbered_texts(stores: Sequence[Store]) -> tuple[tuple[str, ...], Int32[np.ndarray, "record"]]:
    """Distinct texts and the text id of every line; NO_TEXT stays."""
    if len(stores) == 1:
        return tuple(stores[0].texts), stores[0].column("text_id").astype(np.int32)
    distinct = set().union(*(store.texts for store in stores))
    texts = tuple(sorted(distinct, key=lambda text: hashlib.sha256(text.encode()).digest()))
    number = {text: new for new, text in enumerate(texts)}
    ids = []
    for store in stores:
        new_of_old = np.array([*(number[text] for text in store.texts), NO_TEXT], np.int32)
        ids.append(new_of_old[store.column("text_id")])  # NO_TEXT is -1: the last entry, again NO_TEXT
    return texts, np.concatenate(ids)


def _check_agreement(stores: Sequence[Store]) -> None:
    """Refuses stores that cannot stand in one batch, and a store given twice."""
    first = stores[0]
    for place, store in enumerate(stores[1:], start=1):
        for field in (*CONVERSION, "n_samples", "leads", "cleaning_version"):
            ours, theirs = first.info[field], store.info[field]
            if ours != theirs:
                raise CgdmerError(
                    f"stores {first.path} and {store.path} differ in {field} ({ours} and {theirs}); "
                    "convert one of them again so that they agree"
                )
        if store.fingerprint in {other.fingerprint for other in stores[:place]}:
            raise CgdmerError(f"store {store.path} is named twice in data.stores; name it once")
