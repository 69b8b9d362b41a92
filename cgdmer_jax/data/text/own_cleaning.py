"""Cleaning rules of one's own: a JSON file becomes one line of text, which stores, runs and models carry and apply.

Rules look for phrases as they are written. There are no regular expressions: a model folder of somebody else brings its
rules along, and some expressions take years on a short report.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.data.text.cleaning import COMMON, clean
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.json_file import parse_json, read_bounded

MOST_BYTES = 1 << 16  # of a file of rules
MOST_RULES = 100
LONGEST = 1 << 17  # letters of a text between two rules; a store's reports have half as many bytes
LOWER_CASE = "lower_case"  # the common rule that a file may switch off
# The kinds of rule, by the names of its fields.
KINDS = {
    ("replace", "with"): "replaces a phrase by another, wherever it stands",
    ("cut_from",): "drops a phrase and all that comes after it",
    ("empty_if",): "empties a report that is this phrase and nothing else",
}
EXAMPLE = '{"lower_case": true, "rules": [{"cut_from": "unconfirmed report"}]}'


class Cleaning(NamedTuple):
    """The rules of one file, in order."""

    lower_case: bool
    rules: tuple[dict[str, str], ...]


def no_rules() -> str:
    """The rules of a collection whose owner names none: what is common to all (lower case, single blanks)."""
    return _canonical(Cleaning(True, ()))


def read_cleaning(file: Path) -> str:
    """The rules of a file as `cleaned` takes them; equal rules give equal text."""
    remedy = f"write it as {EXAMPLE}"
    content = read_bounded(file, remedy=remedy, most_bytes=MOST_BYTES)
    return _canonical(_checked(parse_json(content, file, remedy=remedy), str(file)))


def cleaning_sha256(rules: str) -> str:
    """Hash of rules, by which a user knows them again."""
    return hashlib.sha256(rules.encode()).hexdigest()


def cleaned(text: str, collection: str, own: str | None) -> str | None:
    """Report without what is no clinical text, by these rules, or where there are none by those of the collection.

    None when no clinical text is left.
    """
    if own is None:
        return clean(text, collection)
    cleaning = _parsed(own)
    for name, common in COMMON.items():
        if cleaning.lower_case or name != LOWER_CASE:
            text = common(text)
    for rule in cleaning.rules:
        text = " ".join(_applied(rule, text).split())
    return text if any(letter.isalnum() for letter in text) else None


def check_rules(rules: str, where: str) -> None:
    """Raises where a stored text holds no rules; `where` begins the sentence."""
    if len(rules) > 2 * MOST_BYTES:
        raise CgdmerError(f"{where} has {len(rules):,} characters, more than rules may have; restore the file")
    _checked(parse_json(rules.encode(errors="replace"), Path(where), remedy="restore the file"), where)


@cache
def _parsed(rules: str) -> Cleaning:
    check_rules(rules, "own cleaning rules")
    return _checked(json.loads(rules), "own cleaning rules")


def _applied(rule: dict[str, str], text: str) -> str:
    if "cut_from" in rule:
        return text.partition(rule["cut_from"])[0]
    if "empty_if" in rule:
        return "" if text == rule["empty_if"] else text
    longer = len(rule["with"]) - len(rule["replace"])
    if len(text) + text.count(rule["replace"]) * longer > LONGEST:
        raise CgdmerError(
            f'a cleaning rule makes a report of more than {LONGEST:,} characters by what it writes for "'
            f'{rule["replace"]:.40}"; correct the rules'
        )
    return text.replace(rule["replace"], rule["with"])


def _canonical(cleaning: Cleaning) -> str:
    return json.dumps({LOWER_CASE: cleaning.lower_case, "rules": cleaning.rules}, sort_keys=True, ensure_ascii=False)


def _checked(value: object, where: str) -> Cleaning:
    """The rules of parsed JSON; names what is none."""
    known = (LOWER_CASE, "rules")
    if not isinstance(value, dict):
        raise CgdmerError(f"{where} is no object of rules; write it as {EXAMPLE}")
    for name in value:
        if name not in known:
            raise CgdmerError(f'{where} has the unknown field "{name:.40}".{suggest(name, known)}')
    lower_case, rules = value.get(LOWER_CASE, True), value.get("rules", [])
    if type(lower_case) is not bool:
        raise CgdmerError(f"{where}: lower_case is neither true nor false; write it as {EXAMPLE}")
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        raise CgdmerError(f"{where}: rules is no list of at most {MOST_RULES} rules; write it as {EXAMPLE}")
    return Cleaning(lower_case, tuple(_rule(rule, f"{where}: rule {n}", lower_case) for n, rule in enumerate(rules, 1)))


def _rule(rule: object, where: str, lower_case: bool) -> dict[str, str]:
    if not isinstance(rule, dict) or tuple(rule) not in KINDS or not all(isinstance(one, str) for one in rule.values()):
        kinds = ", ".join("{" + ", ".join(f'"{name}": "..."' for name in kind) + "}" for kind in KINDS)
        raise CgdmerError(f"{where} is none; write one of {kinds}")
    if lower_case:  # as the text is when the rule comes to it
        rule = {name: COMMON[LOWER_CASE](phrase) for name, phrase in rule.items()}
    if not rule.get("replace", "x") or not rule.get("cut_from", "x"):
        raise CgdmerError(f"{where} looks for an empty phrase, which stands everywhere; write the phrase")
    return rule
