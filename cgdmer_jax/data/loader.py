"""Batches as a pure function of (corpus, selected rows, batch size, seed, step): docs/design.md, "Corpus and batch".

Resume needs the step number alone, and the number of hosts changes nothing but who reads which rows.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int16, Int32, Int64, Shaped

from cgdmer_jax.batch import NO_TEXT, Batch, filled_up
from cgdmer_jax.data.referenced import Referenced
from cgdmer_jax.data.wave_classes import RecordColumns
from cgdmer_jax.errors import CgdmerError

AHEAD = 2  # batches that the background thread reads before they are asked for

Item, Argument = TypeVar("Item"), TypeVar("Argument")
Lines = Int64[np.ndarray, "record"]
Tokens = Int32[np.ndarray, "text token"]
TokenMask = Bool[np.ndarray, "text token"]
TextColumns = dict[str, Shaped[np.ndarray, "text ..."] | Referenced]  # per-text tables by name


@runtime_checkable
class Records(Protocol):
    """Source of batches: a corpus of stores, or reports alone (report_texts.py). A `line` is a record."""

    fingerprint: str
    lead_mask: Bool[np.ndarray, "record lead"]
    length: Int32[np.ndarray, "record"]
    text_id: Int32[np.ndarray, "record"]
    record_columns: RecordColumns  # see record_columns.py

    def rows(self, lines: Lines) -> Int32[np.ndarray, "record"]: ...

    def read(self, lines: Lines) -> Int16[np.ndarray, "record lead time"]: ...


def shuffled(n: int, name: str) -> Int64[np.ndarray, "n"]:
    """The permutation of 0..n-1 that belongs to this name: a Philox generator keyed by its sha256.

    Raw words of a bit generator stay the same through NumPy versions; `permutation` may not (NEP 19).
    """
    key = hashlib.sha256(name.encode()).digest()
    words = np.random.Philox(key=int.from_bytes(key[:16], "little")).random_raw(n)
    return np.argsort(words, kind="stable")


class Loader:
    """Shuffled training batches over the selected lines; each host gets its slice of every batch."""

    def __init__(
        self,
        corpus: Records,
        lines: Lines,
        tokens: Tokens,
        token_mask: TokenMask,
        columns: TextColumns | None = None,
        *,
        batch_size: int,
        seed: int,
        process_index: int = 0,
        process_count: int = 1,
    ):
        if batch_size % process_count:
            raise CgdmerError(
                f"config.data.batch_size {batch_size} cannot be shared by {process_count} processes; choose a multiple"
            )
        if not 0 < batch_size <= len(lines):
            raise CgdmerError(
                f"config.data.batch_size {batch_size} does not fit the {len(lines)} selected records; "
                "choose one from 1 to that number"
            )
        self.corpus = corpus
        self._tables = (tokens, token_mask, columns or {})
        self.selected = np.unique(lines)
        if len(self.selected) != len(lines):
            raise ValueError("the same line is selected twice")
        self.batch_size, self.seed = batch_size, seed
        self.steps_per_epoch = len(lines) // batch_size
        share = batch_size // process_count
        self._slice = slice(process_index * share, (process_index + 1) * share)
        rows = hashlib.sha256(corpus.rows(self.selected).astype("<i8").tobytes()).hexdigest()
        self._identity = f"{corpus.fingerprint} {rows} {batch_size} {seed}"
        self._epoch: tuple[int, Lines] = (-1, self.selected)

    def order_sha256(self) -> str:
        """Hash of everything that decides which record comes when; the same on all hosts."""
        return hashlib.sha256(self._identity.encode()).hexdigest()

    def lines_of_step(self, step: int) -> Lines:
        """Lines of the whole global batch of that step, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[place * self.batch_size : (place + 1) * self.batch_size]

    def batch(self, step: int) -> Batch:
        """This host's slice of the batch of that step."""
        return _gather(self.corpus, self.lines_of_step(step)[self._slice], *self._tables)

    def prefetch(self, first_step: int, last_step: int) -> Iterator[Batch]:
        """Batches of first_step..last_step-1, read ahead by one thread; closing it ends the thread."""
        return read_ahead(self.batch, range(first_step, last_step))

    def _order(self, epoch: int) -> Lines:
        known, order = self._epoch  # one read of one name: the reading thread may replace it meanwhile
        if known == epoch:
            return order
        order = self.selected[shuffled(len(self.selected), f"{self._identity} {epoch}")]
        self._epoch = (epoch, order)
        return order


def sequential_batches(
    corpus: Records,
    lines: Lines,
    tokens: Tokens,
    token_mask: TokenMask,
    batch_size: int,
    columns: TextColumns | None = None,
) -> Iterator[tuple[Batch, int]]:
    """Batches in the order of the lines, and how many records of each are real.

    The last one is filled up with its own last record, so that every batch has one shape.
    """

    def read(first: int) -> tuple[Batch, int]:
        part = lines[first : first + batch_size]
        filled = filled_up(part, batch_size)
        return _gather(corpus, filled, tokens, token_mask, columns or {}), len(part)

    return read_ahead(read, range(0, len(lines), batch_size))


def _gather(corpus: Records, lines: Lines, tokens: Tokens, token_mask: TokenMask, columns: TextColumns) -> Batch:
    """The batch of these lines, in this order; a line without clinical text has padding and zeros only."""
    text_id = corpus.text_id[lines]
    with_text = text_id != NO_TEXT

    def of_lines(table: np.ndarray | Referenced) -> np.ndarray:
        rows = np.zeros((len(lines), *table.shape[1:]), table.dtype)
        rows[with_text] = table[text_id[with_text]]
        return rows

    return Batch(
        signal=corpus.read(lines),  # one sorted gather a store
        lead_mask=corpus.lead_mask[lines],
        length=corpus.length[lines],
        row=corpus.rows(lines),
        tokens=of_lines(tokens),
        token_mask=of_lines(token_mask),
        text_id=text_id,
        text_columns={name: of_lines(table) for name, table in columns.items()},
        record_columns={name: table[lines] for name, table in corpus.record_columns.items()},
    )


def read_ahead(read: Callable[[Argument], Item], arguments: Iterable[Argument], ahead: int = AHEAD) -> Iterator[Item]:
    """read(argument) for each in order, by one thread `ahead` of the consumer, who also gets what `read` raises."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")
    pending: deque[Future[Item]] = deque()
    try:
        for argument in arguments:
            pending.append(pool.submit(read, argument))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
