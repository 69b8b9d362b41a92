"""Answers of a language model about texts, one line each in a file that grows, so that no text is asked about twice.

A line holds the hash of (model, question, text), the findings, and its own hash: one that a kill or a full disk cut is
not read, and its text is asked about again. No text is kept.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from jaxtyping import Int8

from cgdmer_jax.data.text.entities import STATES
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import parse_json
from cgdmer_jax.sealed_json import sealed, unsealed

REMEDY = "it is asked again"


class AnswerFile:
    """Findings by hash of the text they were read from."""

    def __init__(self, path: Path, asked: str, n_entities: int):
        self._path = path
        self._asked = asked  # all that an answer depends on beside the text
        self._n_entities = n_entities
        self._known = self._read() if path.exists() else {}

    def __contains__(self, text: str) -> bool:
        return self._hash(text) in self._known

    def __getitem__(self, text: str) -> Int8[np.ndarray, "entity"]:
        return self._known[self._hash(text)]

    def add(self, text: str, findings: Int8[np.ndarray, "entity"]) -> None:
        """Keeps the findings of that text, on the disk too."""
        self._known[self._hash(text)] = findings
        line = json.dumps(sealed({"text": self._hash(text), "findings": findings.tolist()}))
        with self._path.open("a", encoding="utf-8") as file:  # a line that was cut before it ends here
            file.write(f"\n{line}\n")

    def _hash(self, text: str) -> str:
        return hashlib.sha256(f"{self._asked}\n{text}".encode()).hexdigest()

    def _read(self) -> dict[str, Int8[np.ndarray, "entity"]]:
        known, damaged = {}, 0
        for line in self._path.read_bytes().splitlines():
            if not line.strip():
                continue
            try:
                fields = unsealed(parse_json(line, self._path, remedy=REMEDY), self._path, remedy=REMEDY, required=True)
                known[str(fields["text"])] = self._findings(fields["findings"])
            except (CgdmerError, KeyError):
                damaged += 1
        if damaged:
            print(f"{self._path}: {damaged} damaged line(s) are not read; their texts are asked about again")
        return known

    def _findings(self, values: object) -> Int8[np.ndarray, "entity"]:
        allowed = {0, *STATES}
        fits = isinstance(values, list) and len(values) == self._n_entities and all(v in allowed for v in values)
        if not fits:
            raise CgdmerError(f"{self._path} holds findings of other entities; {REMEDY}")
        return np.array(values, np.int8)
