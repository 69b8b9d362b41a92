"""Meaning of a cell: nothing, a number, or yes and no; whatever program wrote it.

A frame written by pandas has "nan" where a report or an age is missing. That is settled here, for every column of
every table, and not in the cleaning of reports: those rules have a version that stores and models carry, and prompts
pass through them, where "none" may be a word.
"""

import re
from decimal import Decimal

# Cells that say that there is no value, in lower case; pandas reads most of them so by default.
NOTHING = frozenset(
    "nan -nan #nan 1.#qnan -1.#qnan 1.#ind -1.#ind none null nil na n/a n.a. <na> #na #n/a nat - -- . ?".split()
)
# How pandas and spreadsheets write a number; float() also reads 15_709, digits of other scripts, and words.
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
_YES, _NO = frozenset("true yes y".split()), frozenset("false no n".split())


def written(cell: str) -> str:
    """The cell itself (blanks too: the fingerprint of a source holds them), or "" where it spells nothing."""
    return "" if cell.strip().casefold() in NOTHING else cell


def number(cell: str, *, decimal_comma: bool = False) -> Decimal | None:
    """The number in a cell, None where it is none; exact: a float would round a patient's long number to another's.

    With `decimal_comma` "56,5" is one too. "1.234,5" is none in any case: what its full stop means is a guess.
    """
    text = cell.strip()
    if decimal_comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def yes_or_no(cell: str, *, decimal_comma: bool = False) -> bool | None:
    """True of 1, 1.0, "true" and "yes", False of 0, "false" and "no"; None of anything else."""
    word = cell.strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    value = number(cell, decimal_comma=decimal_comma)
    return bool(value) if value in (0, 1) else None
