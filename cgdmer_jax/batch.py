"""Batch: the arrays every method receives, their axes and units.

Axis letters used in the code: B batch (global), L leads (12, canonical order), T samples,
N patches a lead, P samples a patch, S report tokens, D width, E shared embedding, K classes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int16, Int32, Shaped

from cgdmer_jax.errors import CgdmerError

NO_TEXT = -1  # text_id of a record without clinical text


class Batch(NamedTuple):
    """One global batch; host arrays (NumPy) and device arrays alike (docs/design.md, "Corpus and batch")."""

    signal: Int16[np.ndarray, "batch lead time"]  # microvolts; absent leads are zero
    lead_mask: Bool[np.ndarray, "batch lead"]  # True = the lead was recorded
    length: Int32[np.ndarray, "batch"]  # valid samples
    row: Int32[np.ndarray, "batch"]  # where the record stands in its store(s)
    tokens: Int32[np.ndarray, "batch token"]
    token_mask: Bool[np.ndarray, "batch token"]  # True = a real token; right-padded
    text_id: Int32[np.ndarray, "batch"]  # equal ids = same report; NO_TEXT = no clinical text
    text_columns: dict[str, np.ndarray]  # per-text tables a config names; empty when it names none
    # Per-record tables that the method's loss reads, as targets (data/record_columns.py); empty when it reads none.
    record_columns: dict[str, np.ndarray] = {}  # noqa: RUF012 (no code changes a batch in place)

    def check(self) -> "Batch":
        """Raises unless shapes, dtypes and padding are what the contract says; returns self."""
        batch, leads, samples = self.signal.shape
        tokens = self.tokens.shape[-1]
        expected = {
            "signal": ("int16", (batch, leads, samples)),
            "lead_mask": ("bool", (batch, leads)),
            "length": ("int32", (batch,)),
            "row": ("int32", (batch,)),
            "tokens": ("int32", (batch, tokens)),
            "token_mask": ("bool", (batch, tokens)),
            "text_id": ("int32", (batch,)),
        }
        for field, (dtype, shape) in expected.items():
            array = getattr(self, field)
            if str(array.dtype) != dtype or array.shape != shape:
                raise CgdmerError(
                    f"batch field {field} is {array.dtype}{list(array.shape)}, "
                    f"expected {dtype}{list(shape)}; fix the loader that built it"
                )
        for field in ("text_columns", "record_columns"):
            for name, array in getattr(self, field).items():
                if array.shape[:1] != (batch,):
                    raise CgdmerError(
                        f'batch field {field} has "{name}" as {array.dtype}{list(array.shape)}, '
                        f"expected {batch} rows; fix the loader that built it"
                    )
        if isinstance(self.signal, np.ndarray):
            _check_values(self)
        return self


def blank_batch(size: int, *, n_leads: int, n_samples: int, n_tokens: int) -> Batch:
    """Records without leads, samples and report: the one place that makes a batch of nothing."""
    return Batch(
        signal=np.zeros((size, n_leads, n_samples), np.int16),
        lead_mask=np.zeros((size, n_leads), bool),
        length=np.zeros(size, np.int32),
        row=np.zeros(size, np.int32),
        tokens=np.zeros((size, n_tokens), np.int32),
        token_mask=np.zeros((size, n_tokens), bool),
        text_id=np.full(size, NO_TEXT, np.int32),
        text_columns={},
    )


def filled_up(rows: Shaped[np.ndarray, "row ..."], size: int) -> Shaped[np.ndarray, "size ..."]:
    """Rows up to `size`, more of them the last one again: batches of one shape are compiled once."""
    return np.pad(rows, [(0, size - len(rows)), *[(0, 0)] * (rows.ndim - 1)], mode="edge")


def _check_values(batch: Batch) -> None:
    if batch.length.min() < 0 or batch.length.max() > batch.signal.shape[-1]:
        raise CgdmerError(
            f"batch field length holds {batch.length.min()}..{batch.length.max()}, "
            f"expected 0..{batch.signal.shape[-1]}; fix the loader that built it"
        )
    if np.any(batch.signal[~batch.lead_mask]):
        raise CgdmerError("batch field signal is not zero where lead_mask is False; fix the loader that built it")
    if np.any(batch.token_mask[:, 1:] & ~batch.token_mask[:, :-1]):
        raise CgdmerError("batch field token_mask is not right-padded; fix the loader that built it")
