"""Phrases of a table found in a text: the longest at each place, whatever the case, the umlauts and the hyphens.

A pattern of the table stands for several phrases: `[a|b]` for either, `[a|]` for one that may be missing, `<name>` for
a list of the table's words, and `~` after a German adjective for each of its endings or none.
"""

import re
import unicodedata
from collections.abc import Hashable, Mapping
from typing import NamedTuple

ENDINGS = "[|e|er|es|en|em]"
_TOKEN = re.compile(r"[^\W_]+|[.,;:!?()/&+]")
# One spelling of each: ischämie, ischaemie and ischemia; möglich and moeglich.
_SPELLED = str.maketrans({"ä": "e", "æ": "e", "ö": "oe", "ø": "oe", "ü": "ue", "ß": "ss", "-": " "})


class Span(NamedTuple):
    """Tokens first..last-1 of a text: a phrase with its meanings, or one token that begins none."""

    first: int
    last: int
    meanings: tuple[Hashable, ...]


def tokens_of(text: str) -> list[str]:
    """Words and marks of a text in one spelling: lower case, ä = ae = e, ö = oe, ü = ue, no accents, no hyphen."""
    spelled = unicodedata.normalize("NFC", text.lower()).translate(_SPELLED).replace("ae", "e")
    letters = unicodedata.normalize("NFD", spelled)
    return _TOKEN.findall("".join(letter for letter in letters if not unicodedata.combining(letter)))


def expanded(pattern: str, words: Mapping[str, str]) -> list[str]:
    """Phrases that a pattern stands for; `words` has the pattern of each name."""
    for name, named in words.items():
        pattern = pattern.replace(f"<{name}>", f"[{named}]")
    pattern = pattern.replace("~", ENDINGS)
    if "<" in pattern or pattern.count("[") != pattern.count("]"):
        raise ValueError(f'the pattern "{pattern}" names unknown words or has an open bracket')
    return _alternatives(pattern, 0)[0]


def _alternatives(pattern: str, place: int) -> tuple[list[str], int]:
    """Phrases from that place to the bracket that closes, and the place behind it."""
    done, begun = [], [""]
    while place < len(pattern) and pattern[place] != "]":
        letter, more = pattern[place], [pattern[place]]
        place += 1
        if letter == "|":
            done, begun = done + begun, [""]
            continue
        if letter == "[":
            more, place = _alternatives(pattern, place)
        begun = [one + another for one in begun for another in more]
    return done + begun, place + 1


class PhraseTrie:
    """Phrases with what they mean."""

    def __init__(self) -> None:
        self._root: dict = {}

    def add(self, phrase: str, meaning: Hashable) -> None:
        """A meaning of that phrase beside those it has."""
        node = self._root
        for token in tokens_of(phrase):
            node = node.setdefault(token, {})
        meanings = node.setdefault("", [])  # no token is empty
        if meaning not in meanings:
            meanings.append(meaning)

    def find(self, tokens: list[str]) -> list[Span]:
        """Whole text in order: at each place the longest phrase that begins there, else the token alone."""
        found, place = [], 0
        while place < len(tokens):
            node, meanings, last = self._root, (), place + 1
            for ahead in range(place, len(tokens)):
                node = node.get(tokens[ahead])
                if node is None:
                    break
                if "" in node:
                    meanings, last = tuple(node[""]), ahead + 1
            found.append(Span(place, last, meanings))
            place = last
        return found
