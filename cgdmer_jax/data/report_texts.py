"""Reports without their recordings, as batches are read from them: for what learns from text alone."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int16, Int32, Int64

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.sources import REPORTS
from cgdmer_jax.data.splits import split_folds
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.errors import CgdmerError, suggest

N_LEADS = 12


@final
class ReportTexts:
    """Distinct cleaned texts, those of the training split first; a `line` is a text. Signals have no samples.

    `held_out` are texts of the validation split that occur nowhere in the training split.
    """

    def __init__(self, training: Iterable[str], validation: Iterable[str], where: str):
        first = sorted(set(training))
        held_out = sorted(set(validation) - set(first))
        if not first or not held_out:
            raise CgdmerError(
                f"{where} has {len(first)} distinct reports in the training split and {len(held_out)} others in the "
                "validation split; give a collection that has both"
            )
        self.texts = (*first, *held_out)
        self.training: Int64[np.ndarray, "text"] = np.arange(len(first))
        self.held_out: Int64[np.ndarray, "text"] = np.arange(len(first), len(self.texts))
        self.fingerprint = hashlib.sha256("\n".join([str(len(first)), *self.texts]).encode()).hexdigest()
        self.text_id = np.arange(len(self.texts), dtype=np.int32)
        self.lead_mask = np.zeros((len(self.texts), N_LEADS), bool)
        self.length = np.zeros(len(self.texts), np.int32)
        self.record_columns: dict[str, np.ndarray] = {}

    def rows(self, lines: Int64[np.ndarray, "record"]) -> Int32[np.ndarray, "record"]:
        """The lines themselves."""
        return lines.astype(np.int32)

    def read(self, lines: Int64[np.ndarray, "record"]) -> Int16[np.ndarray, "record lead 0"]:
        """Recordings without samples."""
        return np.zeros((len(lines), N_LEADS, 0), np.int16)


def of_corpus(corpus: Corpus) -> ReportTexts:
    """The reports of converted stores."""
    where = ", ".join(str(store.path) for store in corpus.stores)
    return ReportTexts(corpus.reports(corpus.lines("train")), corpus.reports(corpus.lines("validation")), where)


def of_table(root: Path, source: str) -> ReportTexts:
    """The reports of a collection's published table in that folder, cleaned as in conversion."""
    if source not in REPORTS:
        raise CgdmerError(f'the reports of source "{source}" cannot be read alone.{suggest(source, REPORTS)}')
    listed = [(fold, clean(report, source)) for fold, report in REPORTS[source](root)]

    def of(split: str) -> list[str]:
        return [text for fold, text in listed if fold in split_folds(split) and text is not None]

    return ReportTexts(of("train"), of("validation"), str(root))
