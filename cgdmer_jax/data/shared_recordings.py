"""Recordings that two public collections both hold, and under which names.

A run that was pretrained on one of the two has seen them, whatever the other is called.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Rename = Callable[[str], str | None]  # a record's name in one collection -> in the other; None: it is not there


@dataclass(frozen=True)
class Shared:
    """Two collections with recordings in common.

    - `forth`: from a record of `one` to its name in `other`; `back`: the other way. A name that is "" says that the
      recording is there and nobody published which one it is.
    """

    one: str
    other: str
    what: str
    forth: Rename
    back: Rename


def _named(pattern: str, rename: Callable[[str], str] = str) -> Rename:
    """Renames what fits the pattern, of which the last part of a path counts."""
    compiled = re.compile(pattern, re.ASCII)

    def renamed(record: str) -> str | None:
        found = compiled.fullmatch(record.rsplit("/", 1)[-1])
        return rename(found[1]) if found else None

    return renamed


def _somewhere(_: str) -> str:
    return ""


SHARED = (
    Shared(
        "cinc",
        "ptbxl",
        "the challenge of 2020 and 2021 holds PTB-XL as HR00001, ...",
        _named(r"HR(\d{5})", lambda number: str(int(number))),
        _named(r"(\d{1,5})", lambda number: f"HR{int(number):05}"),
    ),
    Shared(
        "cinc",
        "cpsc2018",
        "the challenge of 2020 and 2021 holds CPSC2018 under its own names, A0001, ...",
        _named(r"(A\d{4})"),
        _named(r"(A\d{4})"),
    ),
    Shared(
        "cinc",
        "csn",
        "the challenge of 2021 holds Chapman-Shaoxing and Ningbo under their own names, JS00001, ...",
        _named(r"(JS\d{5})"),
        _named(r"(JS\d{5})"),
    ),
    Shared(
        "cinc",
        "ptb",
        "the challenge of 2020 and 2021 holds PTB Diagnostic as S0001, ...; which is which is not published",
        _named(r"(S\d{4})", _somewhere),
        _somewhere,
    ),
)
# Collections in which each recording is a patient of its own, by the record's name (sources/wfdb_folder.py).
RECORDS_ARE_PATIENTS = frozenset({"cinc", "cpsc2018", "csn"})


def renames(collection: str, other: str) -> Rename | None:
    """From the records of a collection to their names in the other; None where the two share none."""
    for shared in SHARED:
        if (shared.one, shared.other) == (collection, other):
            return shared.forth
        if (shared.other, shared.one) == (collection, other):
            return shared.back
    return None
