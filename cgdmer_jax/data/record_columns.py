"""Per-record tables that a method's loss reads as targets, by name: the labels of a task, or the marked waves."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.wave_classes import WaveClasses
from cgdmer_jax.errors import CgdmerError

WAVES = "waves"  # int8 [record, lead, sample]: 0 none, 1 P, 2 QRS, 3 T, -1 not annotated
LABELS = "labels:"  # + task: bool [record, class], classes in the order of Corpus.classes


def with_record_columns(corpus: Corpus, names: Sequence[str]) -> Corpus:
    """The corpus, whose batches also hold these columns; its fingerprint covers them, as they lie in its stores."""
    return corpus.with_record_columns({name: _column(corpus, name) for name in names}) if names else corpus


def _column(corpus: Corpus, name: str) -> Shaped[np.ndarray, "record ..."] | WaveClasses:
    if name == WAVES:
        return WaveClasses(corpus.stores)
    if not name.startswith(LABELS):
        raise CgdmerError(f'the record column "{name}" is in no store; name one as {LABELS}TASK or {WAVES}')
    return corpus.labels(name.removeprefix(LABELS))
