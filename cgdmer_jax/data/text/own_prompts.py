"""The zero-shot prompts of a collection: those of a user's file, else the published ones, else the names of classes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.data.text.prompts import has_prompts, load_prompts, prompts_sha256
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import parse_json, read_bounded

MOST_BYTES = 1 << 20
MOST_PHRASINGS = 20  # of a class in one language
LONGEST = 2000  # letters of a phrasing
OWN, NAMES = "own", "names"  # in the place of a language: phrasings without one, and names of classes
EXAMPLE = '{"prompts": {"rhythm": {"AF": ["atrial fibrillation"], "SR": ["sinus rhythm"]}}}'


class PromptSet(NamedTuple):
    """Prompts as task -> class code -> language -> phrasings, and their hash, which results carry."""

    prompts: Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]]
    sha256: str | None


def prompts_of(
    collection: str, classes: Mapping[str, Mapping[str, str]], *, own_data: bool, given: PromptSet | None
) -> PromptSet:
    """The prompts given, else those published with the program, else, of one's own data, the name of each class.

    `classes`: task -> class code -> name.
    """
    if given is not None:
        return given
    if has_prompts(collection):
        return PromptSet(load_prompts(collection), prompts_sha256(collection))
    if not own_data:  # the codes of a public collection are no words
        return PromptSet({}, None)
    named = {task: {code: {NAMES: (name,)} for code, name in names.items()} for task, names in classes.items()}
    return PromptSet(named, hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest())


def read_prompts(file: Path) -> PromptSet:
    """The prompts of a user's file: a text, several, or several by language, for each class of each task."""
    remedy = f"write it as {EXAMPLE}"
    content = read_bounded(file, remedy=remedy, most_bytes=MOST_BYTES)
    value = parse_json(content, file, remedy=remedy)
    tasks = value.get("prompts") if isinstance(value, dict) else None
    if not isinstance(tasks, dict) or not tasks or not all(isinstance(of, dict) and of for of in tasks.values()):
        raise CgdmerError(f"{file} does not hold prompts by task and class; {remedy}")
    prompts = {
        task: {code: _by_language(said, f"{file}: class {code[:80]} of task {task[:80]}") for code, said in of.items()}
        for task, of in tasks.items()
    }
    counts = {
        (language, len(phrasings))
        for of_task in prompts.values()
        for of_class in of_task.values()
        for language, phrasings in of_class.items()
    }
    uneven = sorted(language for language, _ in counts if sum(one == language for one, _ in counts) > 1)
    if uneven:
        raise CgdmerError(
            f"{file} has unequal numbers of phrasings ({uneven[0]}: "
            f"{', '.join(str(n) for language, n in sorted(counts) if language == uneven[0])}); give every class as many"
        )
    return PromptSet(prompts, hashlib.sha256(content).hexdigest())


def _by_language(said: object, where: str) -> dict[str, tuple[str, ...]]:
    by_language = said if isinstance(said, dict) else {OWN: said}
    if not by_language:
        raise CgdmerError(f"{where} has no prompt; write {EXAMPLE}")
    return {language: _phrasings(texts, where) for language, texts in by_language.items()}


def _phrasings(texts: object, where: str) -> tuple[str, ...]:
    phrasings: Sequence[object] = [texts] if isinstance(texts, str) else texts if isinstance(texts, list) else ()
    if not 0 < len(phrasings) <= MOST_PHRASINGS:
        raise CgdmerError(f"{where} is no text and no list of 1 to {MOST_PHRASINGS} texts; write {EXAMPLE}")
    for text in phrasings:
        if not isinstance(text, str) or len(text) > LONGEST or not any(letter.isalnum() for letter in text):
            raise CgdmerError(f"{where} has a phrasing that is no text of at most {LONGEST:,} letters; write {EXAMPLE}")
    return tuple(phrasings)
