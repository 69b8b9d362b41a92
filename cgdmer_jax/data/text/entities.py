"""Findings that a report states, by entity: present, absent or uncertain (docs/entities.md).

The phrases of the entities, and the words that deny or hedge them, are the files of finding_phrases/, written from the
statements of PTB-XL's reports. Raise VERSION whenever a text would come out differently by a change of this code; the
files have a version of their own, and a hash.
"""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8

from cgdmer_jax.data.text.phrases import PhraseTrie, expanded
from cgdmer_jax.data.text.scopes import CUES, Cue, Mention, Statement, resolved
from cgdmer_jax.json_file import parse_json

VERSION = 1
FOLDER = Path(__file__).parent / "finding_phrases"
ENTITIES, CUES_FILE = "entities.json", "cues.json"
ABSENT, NOT_MENTIONED, PRESENT, UNCERTAIN = -1, 0, 1, 2  # values of a table of findings
STATES = {ABSENT: "absent", PRESENT: "present", UNCERTAIN: "uncertain"}
STRENGTH = {NOT_MENTIONED: 0, ABSENT: 1, UNCERTAIN: 2, PRESENT: 3}  # of several statements the strongest holds
LANGUAGES = ("en", "de", "sv")  # 2 % of PTB-XL's records have a Swedish report


class Entity(NamedTuple):
    """A finding that reports tell of."""

    key: str
    name: str  # in plain English
    group: str
    is_a: tuple[str, ...]  # keys of what it is a kind of
    scp: tuple[str, ...]  # SCP codes of PTB-XL that say the same
    scp_within: tuple[str, ...]  # or that say something wider


class EntityTable:
    """Entities, their phrases and the words around them, made by `shipped_table`.

    `entities`: each with key, name and SCP codes, in the order of all tables. `keys`: theirs. `version`: of code and
    files. `sha256`: of the files. Making one raises CgdmerError where a file is damaged; reading a text never does.
    """

    def __init__(self, entities: bytes, cues: bytes):
        listed = parse_json(entities, FOLDER / ENTITIES, remedy="restore the published file")
        around = parse_json(cues, FOLDER / CUES_FILE, remedy="restore the published file")
        self.sha256 = hashlib.sha256(entities + b"\0" + cues).hexdigest()
        self.version = f"{VERSION}.{listed['version']}.{around['version']}"
        self.entities = tuple(
            Entity(
                key, one["name"], one["group"], *(tuple(one.get(name, ())) for name in ("is_a", "scp", "scp_within"))
            )
            for key, one in listed["entities"].items()
        )
        self.keys = tuple(entity.key for entity in self.entities)
        self._phrases = PhraseTrie()
        for cue in CUES:
            self._add(around[cue], around["words"], Cue(cue))
        for number, one in enumerate(listed["entities"].values()):
            for language in LANGUAGES:
                self._add(one.get(language, ()), listed["words"], Statement(number, False))
            self._add(one.get("uncertain", ()), listed["words"], Statement(number, True))
        self._kinds = [[self.keys.index(key) for key in entity.is_a] for entity in self.entities]
        self._widest_first = sorted(range(len(self.keys)), key=self._depth)

    def mentions(self, text: str) -> list[Mention]:
        """Each statement of an entity in a `text`, in order: its number, whether it is denied or hedged, its words."""
        return resolved(text, self._phrases)

    def findings(self, text: str) -> Int8[np.ndarray, "entity"]:
        """int8 [entity]: -1 absent, 0 not mentioned, 1 present, 2 uncertain in that `text` (one report).

        Of several statements what is affirmed holds before what is hedged, and that before what is denied, whatever
        their order. What an entity is a kind of is at least as certain as itself; with a kind all below it are denied.
        """
        state = [NOT_MENTIONED] * len(self.entities)
        for mention in self.mentions(text):
            value = ABSENT if mention.denied else UNCERTAIN if mention.hedged else PRESENT
            self._raise(state, mention.entity, value)
        for number in self._widest_first:
            if state[number] == NOT_MENTIONED and any(state[kind] == ABSENT for kind in self._kinds[number]):
                state[number] = ABSENT
        return np.array(state, np.int8)

    def table(self, texts: Iterable[str]) -> Int8[np.ndarray, "text entity"]:
        """int8 [text, entity]: the findings of each of the `texts`."""
        rows = [self.findings(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, len(self.entities)), np.int8)

    def _add(self, patterns: Iterable[str], words: dict[str, str], meaning: Statement | Cue) -> None:
        for pattern in patterns:
            for phrase in expanded(pattern, words):
                self._phrases.add(phrase, meaning)

    def _raise(self, state: list[int], number: int, value: int) -> None:
        """The value of an entity and, unless it is a denial, of what it is a kind of."""
        state[number] = max(state[number], value, key=STRENGTH.__getitem__)
        if value != ABSENT:
            for kind in self._kinds[number]:
                self._raise(state, kind, value)

    def _depth(self, number: int) -> int:
        """How many kinds lie above an entity."""
        return max((1 + self._depth(kind) for kind in self._kinds[number]), default=0)


@functools.cache
def shipped_table() -> EntityTable:
    """The `EntityTable` that comes with the package, read once. Raises CgdmerError where a file of it is damaged."""
    return EntityTable((FOLDER / ENTITIES).read_bytes(), (FOLDER / CUES_FILE).read_bytes())
