"""Classes by sample, made from a store's table of waves when they are read: only the records asked for are dense."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int8, Integer, Shaped

from cgdmer_jax.data.store.store import Store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.waveform.lead_names import LEADS

NOT_ANNOTATED = -1
_EDGES = ("row", "lead", "wave", "onset", "offset")


class WaveClasses:
    """A record column int8 [record, lead, sample] of one or several stores: 0 none, 1 P, 2 QRS, 3 T, -1 not annotated.

    Onset and offset are samples of the wave. Indexed by records, it gives an array.
    """

    dtype = np.dtype(np.int8)

    def __init__(self, stores: Sequence[Store]):
        tables = [store.waves for store in stores]
        if all(table is None for table in tables):
            raise CgdmerError(f"store {stores[0].path} holds no waves; name one of a collection that has them marked")
        self.shape = (sum(store.n_records for store in stores), len(LEADS), stores[0].n_samples)
        parts, n_records = [], 0
        for store, table in zip(stores, tables, strict=True):
            if table is not None:
                part = np.stack([table.column(name).to_numpy().astype(np.int32) for name in _EDGES])
                part[0] = n_records + np.searchsorted(store.column("row"), part[0])
                parts.append(part)
            n_records += store.n_records
        self._waves = np.concatenate(parts, axis=1)[1:].T
        self._first = np.searchsorted(np.concatenate([part[0] for part in parts]), np.arange(n_records + 1))

    def __getitem__(self, lines: Integer[np.ndarray, "record"]) -> Int8[np.ndarray, "record lead time"]:
        classes = np.full((len(lines), *self.shape[1:]), NOT_ANNOTATED, np.int8)
        for record, line in zip(classes, lines, strict=True):
            for lead, wave, onset, offset in self._waves[self._first[line] : self._first[line + 1]].tolist():
                record[lead, max(0, onset) : offset + 1] = wave  # a stretch stands before its waves
        return classes


RecordColumns = dict[str, Shaped[np.ndarray, "record ..."] | WaveClasses]  # by name, a line of each for each record
