"""Named rules that clean the reports of a collection."""

import re
import unicodedata
from collections.abc import Callable

from cgdmer_jax.data.text.prompts import has_prompts
from cgdmer_jax.errors import CgdmerError, suggest

CLEANING_VERSION = 1  # raise it whenever any text would come out differently


def _lower_case(text: str) -> str:
    """Lower case, accents kept, one code point for each accented letter."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def _single_blanks(text: str) -> str:
    """Line breaks, tabs and repeated blanks become one blank."""
    return " ".join(text.split())


def _ptbxl_umlauts(text: str) -> str:
    """'f#r', '#bergang': a character set error that stands for 'ü' in all 125 reports that have it."""
    return text.replace("#", "ü")


def _ptbxl_editor_codes(text: str) -> str:
    """Drops ' edit: norm 100, (norm 100)': SCP codes that a second reader left, that is, the labels."""
    return re.sub(r"(?:^| )edit:.*$", "", text)


def _beginnings(phrase: str) -> str:
    """Regular expression of the phrase or of any non-empty beginning of it."""
    pattern = ""
    for letter in reversed(phrase[1:]):
        pattern = f"(?:{re.escape(letter)}{pattern})?"
    return re.escape(phrase[0]) + pattern


# Program version and its mark "unconfirmed report". PTB-XL cuts reports at 255 characters, so the mark
# may stop anywhere, and a version without mark is a tail only if it is one of the two versions seen.
_MARK = f"(?:{_beginnings('unbestätigter bericht')}|{_beginnings('unconfirmed report')})"
_PTBXL_TAIL = re.compile(rf"(?:(?:^| )(?:\d{{1,2}}\.\d\d {_MARK}|4\.4[06]))+$")
_PTBXL_CUT_VERSION = re.compile(r"(?: 4(?:\.4?)?)+$")
_PTBXL_CUT_FROM = 200  # characters; shorter texts were not cut, and may end in ' 4' by themselves


def _ptbxl_software_mark(text: str) -> str:
    """Drops '4.46 unbestätigter bericht' at the end, whole or cut."""
    if len(text) >= _PTBXL_CUT_FROM:
        text = _PTBXL_CUT_VERSION.sub("", text)
    return _PTBXL_TAIL.sub("", text)


def _ptbxl_trace_only(text: str) -> str:
    """Empties 'trace only requested.' and 'trace only.': nobody read the recording."""
    return re.sub(r"^trace only(?: requested)?\.?$", "", text)


def _mimic_ecg(text: str) -> str:
    """'ekg' and 'ecg' stand for the same word."""
    return text.replace("ekg", "ecg")


def _mimic_marks(text: str) -> str:
    """Drops the machine's '***' and '===' around a report, as MERL does; those inside it stay."""
    return text.strip(" *=-")


def _mimic_full_stop(text: str) -> str:
    """Ends the last statement as the others end, as MERL does."""
    return text if not text or text.endswith(".") else f"{text}."


# Applied in this order; every text of every source goes through the common ones first.
COMMON: dict[str, Callable[[str], str]] = {"lower_case": _lower_case, "single_blanks": _single_blanks}
RULES: dict[str, dict[str, Callable[[str], str]]] = {
    "ptbxl": COMMON
    | {
        "umlauts": _ptbxl_umlauts,
        "editor_codes": _ptbxl_editor_codes,
        "software_mark": _ptbxl_software_mark,
        "trace_only": _ptbxl_trace_only,
    },
    "mimic-iv-ecg": COMMON | {"ecg": _mimic_ecg, "marks": _mimic_marks, "full_stop": _mimic_full_stop},
    "synthetic": COMMON,
}


def _rules(source_name: str) -> dict[str, Callable[[str], str]]:
    if source_name not in RULES and has_prompts(source_name):
        return COMMON  # a collection without reports, whose prompts alone are cleaned
    if source_name not in RULES:
        raise CgdmerError(
            f'no cleaning rules for the reports of source "{source_name}"; '
            f"name one of cgdmer_jax.data.text.cleaning.RULES or add its rules there.{suggest(source_name, RULES)}"
        )
    return RULES[source_name]


def clean(text: str, source_name: str) -> str | None:
    """Cleaned report of that source; None when no clinical text is left (blank, trace only)."""
    for rule in _rules(source_name).values():
        text = rule(text)
    return text if any(letter.isalnum() for letter in text) else None


def touched(text: str, source_name: str) -> tuple[str, ...]:
    """Names of the rules that change this text, in the order in which they are applied."""
    names = []
    for name, rule in _rules(source_name).items():
        after = rule(text)
        if after != text:
            names.append(name)
        text = after
    return tuple(names)
