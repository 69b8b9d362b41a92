"""Findings of each distinct report by entity, kept beside a store as the vectors of a text encoder are.

`experiments.extract_entities` makes them; here they are found again, or refused with that command.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.store.store import Store
from cgdmer_jax.data.text.entities import EntityTable, shipped_table
from cgdmer_jax.data.text_cache import CACHE, Key, read_cache, write_cache
from cgdmer_jax.errors import CgdmerError

ENTITIES = "entities"  # name of the column, int8 [B, entity] in the values of data/text/entities.py
PHRASES = "phrases"  # who read the reports, where it was the phrase table


class Extraction(NamedTuple):
    """All that the findings of a text depend on beside the text."""

    reader: str  # PHRASES, or the name of a language model
    version: str  # of the phrase table, or of the question that the model was asked
    table: str  # sha256 of the phrase table, which lists the entities

    def key(self, store: Store) -> Key:
        return self._asdict() | {"store": store.fingerprint, "cleaning_version": store.info["cleaning_version"]}

    def path(self, store: Store) -> Path:
        made_by = hashlib.sha256("\n".join(self).encode()).hexdigest()
        return store.path / CACHE / f"{ENTITIES}-{made_by[:12]}.npz"


def by_phrases(table: EntityTable) -> Extraction:
    """The findings that the phrase table reads."""
    return Extraction(PHRASES, table.version, table.sha256)


def write_entities(corpus: Corpus, extraction: Extraction, findings: Int8[np.ndarray, "text entity"]) -> list[Path]:
    """Keeps the findings of the corpus's texts beside each of its stores, by that store's text_id."""
    line_of = {text: line for line, text in enumerate(corpus.texts)}
    paths = []
    for store in corpus.stores:
        own = findings[[line_of[text] for text in store.texts]]
        paths.append(extraction.path(store))
        write_cache(paths[-1], extraction.key(store), {ENTITIES: own, "keys": np.array(shipped_table().keys)})
    return paths


def read_entities(corpus: Corpus, extraction: Extraction, command: str) -> Int8[np.ndarray, "text entity"]:
    """Findings of each text_id of the corpus; `command` makes what is missing."""
    line_of = {text: line for line, text in enumerate(corpus.texts)}
    findings = np.zeros((len(corpus.texts), len(shipped_table().keys)), np.int8)
    for store in corpus.stores:
        path, remedy = extraction.path(store), f"make it with {command}"
        if not path.exists():
            raise CgdmerError(f"store {store.path} has no findings of these entities ({path.name}); {remedy}")
        own = read_cache(path, extraction.key(store), what="table of findings", remedy=remedy)[ENTITIES]
        findings[[line_of[text] for text in store.texts]] = own
    return findings
