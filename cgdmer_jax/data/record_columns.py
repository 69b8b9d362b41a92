"""Per-record tables that a method's loss reads as targets, by name: `labels:TASK` is the labels of that task."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.errors import CgdmerError

LABELS = "labels:"  # + task: bool [record, class], classes in the order of Corpus.classes


def with_record_columns(corpus: Corpus, names: Sequence[str]) -> Corpus:
    """The corpus, whose batches also hold these columns; its fingerprint covers them, as they lie in its stores."""
    return corpus.with_record_columns({name: _column(corpus, name) for name in names}) if names else corpus


def _column(corpus: Corpus, name: str) -> Shaped[np.ndarray, "record ..."]:
    if not name.startswith(LABELS):
        raise CgdmerError(f'the record column "{name}" is in no store; name one as {LABELS}TASK')
    return corpus.labels(name.removeprefix(LABELS))
