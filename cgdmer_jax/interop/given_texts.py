"""Texts and prompts in use, as the strings that a model's tokenizer reads; says which cannot be read."""

from collections.abc import Iterable, Mapping

from tokenizers import Tokenizer

from cgdmer_jax.data.text.own_cleaning import cleaned
from cgdmer_jax.data.text.special_tokens import special_token_ids
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import in_order, plain_text

Prompts = Mapping[str, str | Iterable[str]]
MOST_CHARACTERS_A_WORD = 100  # that are looked at, of each word piece that the model reads
MOST_CHARACTERS = 100_000  # of a text; a tokenizer takes some hundred times a text's size


def given_phrasings(prompts: object) -> dict[str, list[str]]:
    """Phrasings of each class, equally many; names the class where they are no texts."""
    if not isinstance(prompts, Mapping) or not prompts:
        found = "empty" if isinstance(prompts, Mapping) else f"a {type(prompts).__name__}"
        raise CgdmerError(
            f"prompts is {found}; give a dict from class to phrasing, or phrasings, such as "
            '{"AFIB": "atrial fibrillation"}'
        )
    phrasings = {}
    for name, given in prompts.items():
        several = isinstance(given, Iterable) and not isinstance(given, str)
        texts = in_order(given, f'prompts of class "{name}"') if several else [given]
        phrasings[name] = [plain_text(text, f'prompt of class "{name}"') for text in texts]
        if not phrasings[name]:
            raise CgdmerError(f'prompts of class "{name}" are an empty list; give at least one phrasing')
    if len({len(texts) for texts in phrasings.values()}) > 1:
        told = ", ".join(f"{name} {len(texts)}" for name, texts in [*phrasings.items()][:20])
        raise CgdmerError(f"prompts hold unequal numbers of phrasings ({told}); give every class as many")
    return phrasings


def cleaned_text(text: object, where: str, collection: str, own_cleaning: str | None = None) -> str:
    """The text by these rules, or those of the collection; refuses what is no text, too long or holds none."""
    text = plain_text(text, where)
    if len(text) > MOST_CHARACTERS:
        raise CgdmerError(
            f"{where} has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read; give the report alone"
        )
    clinical = cleaned(text, collection, own_cleaning)
    if clinical is None:
        raise CgdmerError(f"{where} holds no clinical text; leave it out")
    return clinical


def check_known(tokenizer: Tokenizer, text: str, where: str, most_tokens: int) -> None:
    """Refuses a cleaned text of which the model would read no word: any other such text has the same vector."""
    special = {*special_token_ids(tokenizer)}
    read = tokenizer.encode(text[: most_tokens * MOST_CHARACTERS_A_WORD], add_special_tokens=False)
    pieces = [tokenizer.id_to_token(number) for number in read.ids[:most_tokens] if number not in special]
    if not any(letter.isalnum() for piece in pieces for letter in piece):
        raise CgdmerError(
            f"{where} has no word that the model's tokenizer knows; write it in the language and letters of the "
            "reports that the model was trained on"
        )
