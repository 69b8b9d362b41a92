"""Age and sex of a patient as collections write them; None for anything that says neither."""

import re

from cgdmer_jax.data.sources.source import OLDEST

_AGE = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)
_SEX = {"male": "male", "m": "male", "female": "female", "f": "female"}


def age_of(text: str) -> float | None:
    """Years; None for "NaN", "n/a", ">89" and for what no human reaches."""
    text = text.strip()
    return float(text) if _AGE.fullmatch(text) and float(text) <= OLDEST else None


def sex_of(text: str) -> str | None:
    """ "male" or "female", from the word or its first letter."""
    return _SEX.get(text.strip().casefold())
