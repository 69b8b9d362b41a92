"""Zero-shot prompts: three phrasings a class and language, as readers write, from the files of prompt_texts/.

PTB-XL's were written from the SCP statement descriptions and the habit of its training reports, before any
score was seen.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.data.split_tables import TABLES_ARE
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.json_file import parse_json, read_bounded, read_json

FOLDER = Path(__file__).parent / "prompt_texts"
PHRASINGS = 3
RESTORE = "restore the published file"
CKEPE = "CKEPE_prompt.json"  # put beside MERL's split tables, see TABLES_ARE (reference/methods.md 4.5)


class Polarity(NamedTuple):
    """A sentence that affirms a class and one that denies it."""

    affirmed: str
    negated: str


def load_prompts(collection: str) -> dict[str, dict[str, dict[str, tuple[str, ...]]]]:
    """Prompts as task -> class code -> language ("en", "de") -> three phrasings."""
    text = _content(collection)
    tasks: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {}
    for task, classes in text["prompts"].items():
        tasks[task] = {}
        for code, languages in classes.items():
            for language, phrasings in languages.items():
                if len(set(phrasings)) != PHRASINGS:
                    raise CgdmerError(
                        f"{_file(collection)}: class {code} of task {task} has {len(set(phrasings))} "
                        f"different phrasings in {language}; write {PHRASINGS}"
                    )
            tasks[task][code] = {language: tuple(phrasings) for language, phrasings in languages.items()}
    return tasks


def load_polarity(collection: str) -> dict[str, dict[str, Polarity]]:
    """Affirming and denying sentence as task -> class code -> Polarity; a collection without them raises."""
    text = _content(collection)
    if "polarity" not in text:
        raise CgdmerError(
            f'{_file(collection)} has no "polarity"; add an affirmed and a negated sentence for each class'
        )
    return {
        task: {code: Polarity(**sentences) for code, sentences in classes.items()}
        for task, classes in text["polarity"].items()
    }


def has_prompts(collection: str) -> bool:
    """Whether there is a prompt file for it."""
    return collection in _collections()


def prompts_sha256(collection: str) -> str | None:
    """Hash of the prompt file, which results carry: a reworded prompt is another evaluation. None without a file."""
    return hashlib.sha256(_file(collection).read_bytes()).hexdigest() if has_prompts(collection) else None


def published_prompts(tables: Path, classes: Sequence[str]) -> list[str]:
    """MERL's own, one a class: a string of comma-joined phrases, lower-cased as the release does."""
    prompts = read_published(tables)
    if unknown := [name for name in classes if name not in prompts]:
        raise CgdmerError(f"{tables / CKEPE} has no prompt for the class {unknown[0]}; {RESTORE}")
    return [prompts[name] for name in classes]


def read_published(tables: Path) -> dict[str, str]:
    """MERL's prompts by class, lower-cased."""
    prompts = parse_json(_ckepe(tables), tables / CKEPE, remedy=RESTORE)
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str) for prompt in prompts.values()):
        raise CgdmerError(f"{tables / CKEPE} does not hold one text for each class; {RESTORE}")
    return {name: prompt.lower() for name, prompt in prompts.items()}


def published_prompts_sha256(tables: Path) -> str:
    """Hash of MERL's prompt file."""
    return hashlib.sha256(_ckepe(tables)).hexdigest()


def _ckepe(tables: Path) -> bytes:
    return read_bounded(tables / CKEPE, remedy=TABLES_ARE)


def _collections() -> list[str]:
    return [file.stem for file in FOLDER.glob("*.json")]


def _file(collection: str) -> Path:
    if not has_prompts(collection):
        raise CgdmerError(
            f'no prompts for the collection "{collection}"; add {collection}.json to {FOLDER}.'
            f"{suggest(collection, _collections())}"
        )
    return FOLDER / f"{collection}.json"


def _content(collection: str) -> dict:
    return read_json(_file(collection), remedy="correct it")
