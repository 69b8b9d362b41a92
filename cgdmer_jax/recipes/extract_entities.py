"""Findings of all reports of a store, cached beside it."""

import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int8

from cgdmer_jax import path_arguments
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.entity_tables import Extraction, by_phrases, write_entities
from cgdmer_jax.data.text.entities import ABSENT, PRESENT, UNCERTAIN, EntityTable, shipped_table
from cgdmer_jax.data.text_cache import CACHE
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.chat_endpoint import Endpoint
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.model_entities import answers_of, by_model, extract_by_model, planned


def extract_entities(stores: Sequence[str], endpoint: Endpoint | None = None, at_once: int = 1) -> list[dict]:
    """Writes the findings of each distinct report beside its store; returns counts, a row an entity.

    `stores`: folders that `convert` made. `endpoint`: of a language model that is asked in place of the phrase table
    (`interop.chat_endpoint.endpoint_at`). `at_once`: questions under way there. Raises CgdmerError where a store has no
    reports or cannot be written to, and where the model gives no valid answer; what it answered is kept.
    """
    corpus, table = _opened(stores), shipped_table()
    if endpoint is None:
        extraction, findings = by_phrases(table), table.table(corpus.texts)
    else:
        extraction = by_model(table, endpoint)
        answers = answers_of(corpus.stores[0], extraction, table)
        findings = extract_by_model(table, endpoint, corpus.texts, answers, at_once)
    for path in write_entities(corpus, extraction, findings):
        print(f"{path}: {findings.shape[1]} entities a text")
    return _counts(table, extraction, findings)


def plan(stores: Sequence[str], endpoint: Endpoint) -> str:
    """Describes the requests that `extract_entities` would send to the endpoint."""
    corpus, table = _opened(stores), shipped_table()
    answers = answers_of(corpus.stores[0], by_model(table, endpoint), table)
    return planned(table, endpoint, corpus.texts, answers)


def key_from(variable: str | None) -> str | None:
    """The key in that environment variable."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise CgdmerError(f"the environment variable {variable} of --key_variable is empty or not set; set it")
    if not (key.isascii() and key.isprintable()):
        raise CgdmerError(f"the environment variable {variable} holds what no key can be; set it again")
    return key


def counts_text(rows: list[dict]) -> str:
    """The counts as a table for the screen, of the entities that some report states."""
    lines = [f"{'entity':34}{'present':>9}{'absent':>9}{'uncertain':>11}"]
    for row in rows:
        if row["present"] or row["absent"] or row["uncertain"]:
            lines.append(f"{row['entity']:34}{row['present']:9}{row['absent']:9}{row['uncertain']:11}")
    return "\n".join(lines)


def _opened(stores: Sequence[str]) -> Corpus:
    corpus = open_corpus(stores)
    build.check_cleaning(corpus)
    if not corpus.texts:
        raise CgdmerError(f"no record of {', '.join(map(str, stores))} has a report; name a store with reports")
    for store in corpus.stores:
        folder = path_arguments.output_folder(store.path / CACHE)
        folder.mkdir(exist_ok=True)
    return corpus


def _counts(table: EntityTable, extraction: Extraction, findings: Int8[np.ndarray, "text entity"]) -> list[dict]:
    made_by = {"reader": extraction.reader, "version": extraction.version, "table_sha256": extraction.table}
    return [
        {"entity": entity.key, "name": entity.name, "texts": len(findings)}
        | {name: int((column == value).sum()) for name, value in _STATES.items()}
        | made_by
        for entity, column in zip(table.entities, findings.T, strict=True)
    ]


_STATES = {"present": PRESENT, "absent": ABSENT, "uncertain": UNCERTAIN}
