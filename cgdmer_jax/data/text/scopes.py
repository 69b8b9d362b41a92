"""Words around a finding that deny it, hedge it, or end the reach of such a word.

Reports of devices often have no punctuation, so a word reaches as far as one finding and those that are joined to it:
"no st elevation or q waves", "verdacht auf p-mitrale lagetyp normal". Within a list of commas it reaches the others
only if the list ends with "and" or "or". A finding joined to another by "or" is uncertain: one of them is not there.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from cgdmer_jax.data.text.phrases import PhraseTrie, tokens_of

CUES = (
    *("absent_before", "absent_after", "uncertain_before", "uncertain_after", "uncertain_around"),
    *("neutral", "or", "and", "comma", "end"),
)
REACH = 5  # words between a cue and its finding
APART = 2  # words between findings that are joined
# Leads, numbers and the words between them, of which a list may be long.
_FREE = re.compile(r"i{1,3}|av[rlf]|v\d|\d{1,2}|[fl]|leads?|ableitungen?|in|also")


class Statement(NamedTuple):
    """Meaning of a phrase in the table of entities."""

    entity: int
    hedged: bool


class Cue(NamedTuple):
    """Effect of a phrase on the findings near it: one of CUES."""

    does: str


class Mention(NamedTuple):
    """An entity stated once."""

    entity: int
    denied: bool
    hedged: bool
    words: str  # of the phrase, in the spelling of phrases.py


class _Piece:
    """A phrase or a word of the text, in order."""

    def __init__(self, does: frozenset[str], findings: tuple[Statement, ...], words: str, costs: int):
        self.does = does
        self.findings = findings
        self.words = words
        self.costs = costs  # how far it moves a finding away from a cue
        self.denied = self.hedged = False

    def mark(self, what: str) -> None:
        if what == "absent":
            self.denied = True
        else:
            self.hedged = True


def resolved(text: str, phrases: PhraseTrie) -> list[Mention]:
    """Mentions of findings, each denied, hedged or neither. What is denied and hedged at once is denied."""
    pieces = list(_pieces(text, phrases))
    for place, piece in enumerate(pieces):
        if piece.findings or not piece.does:
            continue
        _mark_from(pieces, place)
    _hedge_alternatives(pieces)
    return [
        Mention(finding.entity, piece.denied, piece.hedged or finding.hedged, piece.words)
        for piece in pieces
        for finding in piece.findings
    ]


def _pieces(text: str, phrases: PhraseTrie) -> Iterator[_Piece]:
    tokens = tokens_of(text)
    found = phrases.find(tokens)
    for number, (first, last, meanings) in enumerate(found):
        words = " ".join(tokens[first:last])
        findings = tuple(one for one in meanings if isinstance(one, Statement))
        does = frozenset() if findings else frozenset(one.does for one in meanings if isinstance(one, Cue))
        is_free = not meanings and _FREE.fullmatch(words)
        if words == "," and number + 1 < len(found):  # of "v4, 5"
            after = found[number + 1]
            is_free = not after.meanings and _FREE.fullmatch(tokens[after.first]) is not None
            does = frozenset() if is_free else does
        yield _Piece(does, findings, words, 0 if is_free or findings else 1)


def _mark_from(pieces: list[_Piece], place: int) -> None:
    """Marks what the cue at that place denies or hedges."""
    does = pieces[place].does
    for what in ("absent", "uncertain"):
        sides = [side for side in (1, -1) if f"{what}_{'before' if side == 1 else 'after'}" in does]
        if f"{what}_around" in does:
            sides = [-1, 1]
        for side in sides:
            reached = _reached(pieces, place, side)
            for piece in reached:
                piece.mark(what)
            if reached:
                break


def _reached(pieces: list[_Piece], place: int, side: Literal[1, -1]) -> list[_Piece]:
    """The nearest finding on that side and those joined to it."""
    cost = 0
    while True:
        place += side
        if not 0 <= place < len(pieces) or "end" in pieces[place].does:
            return []
        if pieces[place].findings:
            return [pieces[place], *_joined(pieces, place, side)]
        cost += pieces[place].costs
        if cost > REACH:
            return []


def _joined(pieces: list[_Piece], place: int, side: Literal[1, -1]) -> list[_Piece]:
    """Findings joined to that one by "and", "or" or a list of commas that ends with one of them."""
    joined: list[_Piece] = []
    certain = 0
    while (other := _next_finding(pieces, place, side)) is not None and (joint := _joint(pieces, place, other)):
        place = other
        joined.append(pieces[place])
        if joint != "comma":
            certain = len(joined)
    return joined[:certain]


def _next_finding(pieces: list[_Piece], place: int, side: Literal[1, -1]) -> int | None:
    places = range(place + 1, len(pieces)) if side == 1 else range(place - 1, -1, -1)
    return next((other for other in places if pieces[other].findings), None)


def _joint(pieces: list[_Piece], one: int, other: int) -> str | None:
    """The word that joins two findings with nothing before it and few words behind it; None where there is none."""
    joint, cost = None, 0
    for piece in pieces[min(one, other) + 1 : max(one, other)]:
        here = next((name for name in ("or", "and", "comma") if name in piece.does), None)
        if here:
            joint = here if joint in (None, "comma") else joint
        elif piece.does or (piece.costs and joint is None):
            return None
        else:
            cost += piece.costs
    return joint if cost <= APART else None


def _hedge_alternatives(pieces: list[_Piece]) -> None:
    places = [place for place, piece in enumerate(pieces) if piece.findings]
    for one, other in itertools.pairwise(places):
        if _joint(pieces, one, other) == "or":
            pieces[one].hedged = pieces[other].hedged = True
