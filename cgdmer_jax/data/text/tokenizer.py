"""Reports: cleaning rules by source, then token ids (docs/design.md, "Reports").

Prompts pass through the same functions, so that both sides of an alignment speak alike.
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from cgdmer_jax.data.text.special_tokens import PADDING, first_id, frame
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.whole_file import write_whole

TOKENIZER_FILE = "tokenizer.json"
UNKNOWN = "qzxj \ua66e"  # words that no vocabulary holds
LARGEST_ID = (1 << 24) - 1  # of a token; the largest published vocabularies have a million
MOST_CELLS = 1 << 31  # texts times tokens of one table, of 5 bytes each
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # ids 0..4 of our own WordPiece


def _word_piece(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    # "linkshypertrophie für" keeps its accents: BERT's default would strip them.
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _words(text: str, tokenizer: Tokenizer) -> list[str]:
    pieces = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
    return [sys.intern(word) for word, _ in pieces]


def shared_words(reports: Iterable[tuple[str, str]], min_patients: int) -> list[str]:
    """(patient, report) pairs -> each report without the words that fewer patients' reports hold, sorted.

    A name in the reports of one patient, however many, then stands in no text that a vocabulary is learnt from.
    """
    tokenizer, reports = _word_piece({}), list(reports)
    words_of = {report: _words(report, tokenizer) for report in {report for _, report in reports}}
    patients: dict[str, set[str]] = {}
    for patient, report in reports:
        for word in words_of[report]:
            found = patients.setdefault(word, set())
            if len(found) < min_patients:
                found.add(patient)
    shared = {word for word, found in patients.items() if len(found) >= min_patients}
    kept = {report: " ".join(word for word in words if word in shared) for report, words in words_of.items()}
    return sorted(kept[report] for _, report in reports)


def train_wordpiece(texts: Iterable[str], vocabulary_size: int, letters_of: Iterable[str] = ()) -> Tokenizer:
    """WordPiece of at most that many entries; the same texts in any order give the same bytes.

    Every letter of `letters_of` is an entry too, so that what is left out of the texts can still be spelled.

    The trainer numbers the "##x" in the order of a randomly seeded hash map, and breaks ties between
    equally frequent pairs by these numbers, so that each run gives another vocabulary. Named among its
    special tokens they have fixed numbers; the vocabulary then goes into a clean tokenizer.
    """
    texts = sorted(texts)
    if not texts:
        raise CgdmerError("a tokenizer cannot be trained on no texts; choose records that have reports")
    trained = _word_piece({})
    words = {word for text in [*texts, *letters_of] for word in _words(text, trained)}
    letters = {letter for word in words for letter in word}
    inside = {letter for word in words for letter in word[1:]}
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        special_tokens=[*SPECIAL_TOKENS, *(f"##{letter}" for letter in sorted(inside))],
        initial_alphabet=sorted(letters),
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    if trained.get_vocab_size() > vocabulary_size:
        raise CgdmerError(
            f"vocabulary_size {vocabulary_size} is below the {trained.get_vocab_size()} entries that the "
            "characters of the reports need; raise it"
        )
    return _framed(trained.get_vocab())


def word_piece_without_words() -> Tokenizer:
    """The special tokens alone: for a method that reads no text, where no report is."""
    return _framed({name: number for number, name in enumerate(SPECIAL_TOKENS)})


def has_words(tokenizer: Tokenizer) -> bool:
    return tokenizer.get_vocab_size() > len(SPECIAL_TOKENS)


def _framed(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = _word_piece(vocabulary)
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes tokenizer.json as Hugging Face does."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / TOKENIZER_FILE, tokenizer.to_str(pretty=True))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Reads a folder's tokenizer.json; padding and cutting are left to `encode`."""
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        raise CgdmerError(f"no {TOKENIZER_FILE} in {folder}; name a folder that holds one")
    return read_tokenizer(path)


def load_word_piece(folder: Path) -> Tokenizer:
    """One of our own kind, for a text encoder that is trained from scratch."""
    tokenizer = load_tokenizer(folder)
    ids = [tokenizer.token_to_id(name) for name in SPECIAL_TOKENS]
    if ids != [*range(len(SPECIAL_TOKENS))] or frame(tokenizer) != ([2], [3]):
        raise CgdmerError(
            f"{folder / TOKENIZER_FILE} is not of our own BERT type ({', '.join(SPECIAL_TOKENS)} = 0 to 4, "
            "[CLS] text [SEP]); name the tokenizer folder of a run, or give the whole model as config.method.text_tower"
        )
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """Any tokenizer.json, without the padding and cutting of its last use."""
    refuse_pointer(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.encode(UNKNOWN)  # without a token for them, some kinds fail at the first unknown word, others never
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise CgdmerError(f"{path} is no tokenizer that can be read ({error}); copy it again") from error
    token, number = max(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1], default=("", 0))
    if number > LARGEST_ID:  # the library fills the gaps below it when it writes the tokenizer
        raise CgdmerError(
            f'{path} has the token "{token}" with id {number:,}, and ids up to {LARGEST_ID:,} are read; copy it again'
        )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def tokenizer_sha256(tokenizer: Tokenizer) -> str:
    """Hash of everything the tokenizer does, whatever the layout of its file."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int
) -> tuple[Int32[np.ndarray, "text token"], Bool[np.ndarray, "text token"], int]:
    """Right-padded ids and mask, and how many texts were cut to max_tokens (what ends a text, [SEP], stays last)."""
    padding = first_id(tokenizer, PADDING)
    if padding is None:
        raise CgdmerError(f"the tokenizer has none of the tokens {', '.join(PADDING)}; texts cannot be padded")
    if max_tokens < 1:
        raise CgdmerError(f"texts cannot be cut at {max_tokens} word pieces; give max_tokens of at least 1")
    if len(texts) * max_tokens > MOST_CELLS:
        raise CgdmerError(
            f"{len(texts):,} texts of {max_tokens:,} tokens each would take "
            f"{5 * len(texts) * max_tokens / 1e9:,.0f} GB; give a smaller config.data.max_tokens"
        )
    _, end = frame(tokenizer)
    tokens = np.full((len(texts), max_tokens), padding, np.int32)
    mask = np.zeros((len(texts), max_tokens), bool)
    n_cut = 0
    for line, encoding in enumerate(tokenizer.encode_batch_fast(list(texts))):
        kept = encoding.ids
        if len(kept) > max_tokens:
            kept = [*kept[: max_tokens - len(end)], *end]
            n_cut += 1
        tokens[line, : len(kept)] = kept
        mask[line, : len(kept)] = True
    return tokens, mask, n_cut
