"""Prepared recordings as full batches of the shape that a model reads."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from cgdmer_jax.batch import Batch, blank_batch, filled_up
from cgdmer_jax.contract import InputContract, Prepared
from cgdmer_jax.errors import CgdmerError


class BatchShape(NamedTuple):
    """Leads and samples of a contract, and the number of word pieces."""

    contract: InputContract
    max_tokens: int

    def blank(self, size: int) -> Batch:
        """A batch of so many records without any content."""
        contract = self.contract
        return blank_batch(size, n_leads=len(contract.leads), n_samples=contract.samples, n_tokens=self.max_tokens)

    def blocks(self, prepared: Iterable[Prepared], size: int) -> Iterator[tuple[Batch, list[Prepared]]]:
        """Full batches, with the recordings in them; the last rows of the last one may be blank.

        Raises CgdmerError where one is not prepared, or has another number of leads or samples than the contract.
        """
        fitting = self._fitting(prepared)
        while some := list(islice(fitting, size)):
            batch = self.blank(size)._replace(
                signal=filled_up(np.stack([one.signal for one in some]), size),
                lead_mask=filled_up(np.stack([one.lead_mask for one in some]), size),
                length=filled_up(np.array([one.length for one in some], np.int32), size),
            )
            yield batch, some

    def batches(self, prepared: Iterable[Prepared], size: int) -> Iterator[tuple[Batch, int]]:
        """As `blocks`, with the number of recordings in each."""
        return ((batch, len(some)) for batch, some in self.blocks(prepared, size))

    def _fitting(self, prepared: Iterable[Prepared]) -> Iterator[Prepared]:
        """The same recordings, each of them one of this contract."""
        shape = (len(self.contract.leads), self.contract.samples)
        remedy = "give what cgdmer_jax.contract.prepare(encoder.contract, ...) returned, or call embed"
        if not isinstance(prepared, Iterable):
            raise CgdmerError(f"prepared is a {type(prepared).__name__}, expected several recordings; {remedy}")
        for number, one in enumerate(prepared):
            if not isinstance(one, Prepared):
                raise CgdmerError(f"prepared {number} is a {type(one).__name__}; {remedy}")
            if one.signal.shape != shape:
                raise CgdmerError(f"prepared {number} has shape {[*one.signal.shape]}, expected {[*shape]}; {remedy}")
            yield one
