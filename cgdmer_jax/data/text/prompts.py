"""Zero-shot prompts: three phrasings a class and language, as readers write, from the files of prompt_texts/.

PTB-XL's were written from the SCP statement descriptions and the habit of its training reports, before any
score was seen.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.json_file import read_json

FOLDER = Path(__file__).parent / "prompt_texts"
PHRASINGS = 3
RESTORE = "restore the published file"


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
    if not has_prompts(collection):
        return None
    return hashlib.sha256(_file(holder(collection)).read_bytes()).hexdigest()


def _collections() -> list[str]:
    return [file.stem for file in FOLDER.glob("*.json")]


def _file(collection: str) -> Path:
    if not has_prompts(collection):
        raise CgdmerError(
            f'no prompts for the collection "{collection}"; add {collection}.json to {FOLDER}.'
            f"{suggest(collection, _collections())}"
        )
    return FOLDER / f"{collection}.json"


def holder(collection: str) -> str:
    """Name of the file that has its prompts: collections of one vocabulary share them ("same_as")."""
    return read_json(_file(collection), remedy="correct it").get("same_as", collection)


def _content(collection: str) -> dict:
    return read_json(_file(holder(collection)), remedy="correct it")
